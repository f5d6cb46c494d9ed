#include "storage/s3/multipart.h"

#include "base/error.h"
#include "base/format.h"
#include "base/parallel.h"
#include "storage/s3/checksum.h"
#include "storage/s3/s3_error.h"

#include <algorithm>

namespace walden::storage::s3 {

namespace {

using PutOutcome = vault::ObjectStorage::PutOutcome;

std::string_view to_string(ObjectLockMode mode) {
    return mode == ObjectLockMode::compliance ? "COMPLIANCE" : "GOVERNANCE";
}

std::size_t part_size_of(const S3Settings& settings) {
    return std::max(settings.part_size, part_size_min);
}

}  // namespace

NameValues object_headers(const S3Settings& settings, TimePoint now) {
    NameValues headers;
    if (!settings.storage_class.empty())
        headers.push_back({"x-amz-storage-class", settings.storage_class});
    if (!settings.sse.empty()) headers.push_back({"x-amz-server-side-encryption", settings.sse});
    if (!settings.sse_kms_key_id.empty())
        headers.push_back({"x-amz-server-side-encryption-aws-kms-key-id", settings.sse_kms_key_id});
    if (settings.object_lock_mode != ObjectLockMode::none) {
        headers.push_back(
            {"x-amz-object-lock-mode", std::string(to_string(settings.object_lock_mode))});
        const auto retained = std::chrono::hours(24) * settings.object_lock_days;
        headers.push_back({"x-amz-object-lock-retain-until-date", iso_time(now + retained)});
    }
    return headers;
}

std::string MultipartUploader::action(std::string_view verb, const std::string& key) const {
    return format("{} \"{}\" in s3://{}", verb, key, client_.settings().bucket);
}

std::string MultipartUploader::create(const std::string& key) {
    const S3Settings& settings = client_.settings();
    S3Request request{.operation = Operation::create_upload,
                      .method = "POST",
                      .key = root_ + key,
                      .query = {{"uploads", ""}},
                      .headers = object_headers(settings, client_.server_time())};
    if (settings.checksum != Checksum::none) {
        request.headers.push_back(
            {"x-amz-checksum-algorithm", std::string(checksum_name(settings.checksum))});
        request.headers.push_back({"x-amz-checksum-type", "FULL_OBJECT"});
    }
    const HttpResponse response = client_.exchange(request);
    const auto id = response.status == 200 ? read_upload_id(response.body) : std::nullopt;
    if (id) return *id;
    if (response.status == 200 && !is_error_in_disguise(response))
        throw Error(ErrorKind::unavailable,
                    action("begin the upload of", key) + ": the answer has no upload id");
    throw make_error(response, action("begin the upload of", key));
}

MultipartUploader::Part MultipartUploader::send_part(const std::string& key,
                                                     const std::string& upload_id,
                                                     std::size_t index, ByteView body) {
    const Checksum checksum = client_.settings().checksum;
    Part part{.etag = {}, .checksum = checksum_value(checksum, body)};
    S3Request request{.operation = Operation::upload_part,
                      .method = "PUT",
                      .key = root_ + key,
                      .query = {{"partNumber", format("{}", index + 1)}, {"uploadId", upload_id}},
                      .body = body};
    if (!part.checksum.empty())
        request.headers.push_back({std::string(checksum_header(checksum)), part.checksum});
    const HttpResponse response = client_.exchange(request);
    const std::string what = format("upload part {} of", index + 1);
    if (response.status != 200 || is_error_in_disguise(response))
        throw make_error(response, action(what, key));
    part.etag = response.header("etag");
    if (part.etag.empty())
        throw Error(ErrorKind::unavailable, action(what, key) + ": the answer has no ETag");
    const std::string_view stored = response.header(checksum_header(checksum));
    if (!part.checksum.empty() && !stored.empty() && stored != part.checksum)
        throw Error(ErrorKind::unavailable,
                    action(what, key) + ": the store keeps other bytes than were sent");
    return part;
}

std::vector<MultipartUploader::Part> MultipartUploader::send_parts(const std::string& key,
                                                                   const std::string& upload_id,
                                                                   ByteView body) {
    const std::size_t part_size = part_size_of(client_.settings());
    std::vector<Part> parts((body.size() + part_size - 1) / part_size);
    for_each_index_in_parallel(parts.size(), client_.settings().concurrency, [&](std::size_t i) {
        const std::size_t offset = i * part_size;
        const std::size_t size = std::min(part_size, body.size() - offset);
        parts[i] = send_part(key, upload_id, i, body.subspan(offset, size));
    });
    return parts;
}

MultipartUploader::Completion MultipartUploader::complete(const std::string& key,
                                                          const std::string& upload_id,
                                                          const std::vector<Part>& parts,
                                                          ByteView body, Fencing fencing) {
    const Checksum checksum = client_.settings().checksum;
    const std::string checksum_of_all = checksum_value(checksum, body);
    std::string document =
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (std::size_t i = 0; i < parts.size(); ++i) {
        // Without the checksums of the parts: that of the whole stands for them, and Swift takes
        // such a document for malformed.
        document += format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1,
                           escape_xml(parts[i].etag));
    }
    document += "</CompleteMultipartUpload>";
    S3Request request{.operation = Operation::complete_upload,
                      .method = "POST",
                      .key = root_ + key,
                      .query = {{"uploadId", upload_id}},
                      .headers = {{"Content-Type", "application/xml"}},
                      .body = as_bytes(document)};
    if (fencing == Fencing::required) request.headers.push_back({"If-None-Match", "*"});
    if (checksum != Checksum::none) {
        request.headers.push_back({std::string(checksum_header(checksum)), checksum_of_all});
        request.headers.push_back({"x-amz-checksum-type", "FULL_OBJECT"});
        request.headers.push_back({"x-amz-mp-object-size", format("{}", body.size())});
    }
    const HttpResponse response = client_.exchange(request);
    if (const auto done = response.status == 200 ? read_completion(response.body) : std::nullopt) {
        const std::string_view stored =
            checksum == Checksum::crc32c ? done->crc32c : done->crc64nvme;
        return !stored.empty() && stored == checksum_of_all ? Completion::proven
                                                            : Completion::completed;
    }
    if (response.status == 412) return Completion::taken;
    if (response.status == 501) return Completion::unsupported;
    if (response.status == 200 && !is_error_in_disguise(response))
        throw Error(ErrorKind::unavailable,
                    action("complete the upload of", key) + ": the answer is not a completion");
    throw make_error(response, action("complete the upload of", key));
}

MultipartUploader::Stored MultipartUploader::put_new(const std::string& key, ByteView body,
                                                     const std::function<bool()>& is_taken) {
    constexpr std::size_t with_a_thread = 2;
    const std::string upload_id = create(key);
    std::vector<Part> parts;
    bool was_taken = false;
    try {
        run_beside(
            with_a_thread, [&] { was_taken = is_taken(); },
            [&] { parts = send_parts(key, upload_id, body); });
    } catch (...) {
        abandon(key, upload_id);
        throw;
    }
    Completion completion = Completion::taken;
    if (!was_taken) completion = complete(key, upload_id, parts, body, Fencing::required);
    if (completion == Completion::unsupported && client_.settings().fencing == Fencing::none)
        completion = complete(key, upload_id, parts, body, Fencing::none);
    switch (completion) {
        case Completion::completed: return {.outcome = PutOutcome::created, .is_proven = false};
        case Completion::proven: return {.outcome = PutOutcome::created, .is_proven = true};
        case Completion::taken:
            abandon(key, upload_id);
            return {.outcome = PutOutcome::already_present, .is_proven = false};
        case Completion::unsupported: break;
    }
    abandon(key, upload_id);
    throw Error(ErrorKind::usage,
                action("complete the upload of", key) + ": the store cannot do it conditionally")
        .with_hint(
            "Set multipart_threshold = 67108864 so that no object goes in parts, or fencing = "
            "\"none\".");
}

/// Best effort: what fails here is found by list_unfinished().
void MultipartUploader::abandon(const std::string& key, const std::string& upload_id) noexcept {
    try {
        abort(key, upload_id);
    } catch (...) {
        // The failure that led here is the one to report.
    }
}

void MultipartUploader::abort(const std::string& key, const std::string& upload_id) {
    const HttpResponse response = client_.exchange({.operation = Operation::abort_upload,
                                                    .method = "DELETE",
                                                    .key = root_ + key,
                                                    .query = {{"uploadId", upload_id}}});
    if (response.status == 204 || response.status == 200) return;
    if (response.status == 404 && error_document_of(response).code == "NoSuchUpload") return;
    throw make_error(response, action("abort the upload of", key));
}

std::vector<Upload> MultipartUploader::list_unfinished() {
    std::vector<Upload> uploads;
    std::string key_marker, id_marker;
    for (;;) {
        NameValues query = {{"uploads", ""}, {"encoding-type", "url"}};
        if (!root_.empty()) query.push_back({"prefix", root_});
        if (!key_marker.empty()) query.push_back({"key-marker", key_marker});
        if (!id_marker.empty()) query.push_back({"upload-id-marker", id_marker});
        const HttpResponse response = client_.exchange({.operation = Operation::list_uploads,
                                                        .query = query,
                                                        .answer_size_max = xml_size_max});
        const std::string what = format("list the uploads in s3://{}", client_.settings().bucket);
        const auto page = response.status == 200 ? read_upload_page(response.body) : std::nullopt;
        if (!page && response.status == 200 && !is_error_in_disguise(response))
            throw Error(ErrorKind::unavailable, what + ": the answer is not such a list");
        if (!page) throw make_error(response, what);
        for (const UnfinishedUpload& upload : page->uploads)
            if (upload.key.starts_with(root_))
                uploads.push_back(
                    {.key = upload.key.substr(root_.size()),
                     .upload_id = upload.upload_id,
                     .started = parse_iso_time(upload.initiated).value_or(client_.server_time())});
        if (!page->is_truncated) return uploads;
        if (page->next_key_marker == key_marker && page->next_upload_id_marker == id_marker)
            throw Error(ErrorKind::unavailable, what + ": the list does not go on");
        key_marker = page->next_key_marker;
        id_marker = page->next_upload_id_marker;
    }
}

}  // namespace walden::storage::s3
