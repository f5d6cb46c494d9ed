#include "storage/s3/multipart.h"

#include "base/error.h"
#include "base/format.h"
#include "base/guarded.h"
#include "base/parallel.h"
#include "storage/s3/checksum.h"
#include "storage/s3/s3_error.h"

#include <algorithm>
#include <exception>
#include <stop_token>
#include <utility>

namespace walden::storage::s3 {

namespace {

using PutOutcome = vault::ObjectStorage::PutOutcome;

std::string_view to_string(ObjectLockMode mode) {
    return mode == ObjectLockMode::compliance ? "COMPLIANCE" : "GOVERNANCE";
}

/// Whether the upload itself is lost or in somebody's way: sending the same step again is of no
/// use. For a 409 Amazon's CompleteMultipartUpload page asks for a new upload.
bool needs_new_upload(const HttpResponse& response) {
    const std::string code = error_document_of(response).code;
    return response.status == 409 || code == "NoSuchUpload" || code == "InvalidPart";
}

std::size_t part_size_of(const S3Settings& settings) {
    return std::max(settings.part_size, part_size_min);
}

std::string completion_document(const std::vector<std::string>& etags) {
    std::string document =
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (std::size_t i = 0; i < etags.size(); ++i) {
        // Without the checksums of the parts: that of the whole stands for them, and Swift takes
        // such a document for malformed.
        document += format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1,
                           escape_xml(etags[i]));
    }
    return document + "</CompleteMultipartUpload>";
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

/// The part's ETag.
std::string MultipartUploader::send_part(const std::string& key, const std::string& upload_id,
                                         std::size_t index, ByteView body,
                                         const RetryPolicy& policy) {
    const Checksum checksum = client_.settings().checksum;
    const std::string sum = checksum_value(checksum, body);
    const std::string what = action(format("upload part {} of", index + 1), key);
    S3Request request{.operation = Operation::upload_part,
                      .method = "PUT",
                      .key = root_ + key,
                      .query = {{"partNumber", format("{}", index + 1)}, {"uploadId", upload_id}},
                      .body = body};
    if (!sum.empty()) request.headers.push_back({std::string(checksum_header(checksum)), sum});
    const HttpResponse response = policy.repeat("upload_part", [&](unsigned) {
        HttpResponse answer = client_.exchange(request);
        if (needs_new_upload(answer)) return answer;
        if (answer.status != 200 || is_error_in_disguise(answer)) throw make_error(answer, what);
        if (answer.header("etag").empty())
            throw Error(ErrorKind::unavailable, what + ": the answer has no ETag");
        const std::string_view stored = answer.header(checksum_header(checksum));
        if (!sum.empty() && !stored.empty() && stored != sum)
            throw Error(ErrorKind::unavailable,
                        what + ": the store keeps other bytes than were sent");
        return answer;
    });
    if (needs_new_upload(response)) throw make_error(response, what);
    return std::string(response.header("etag"));
}

std::vector<std::string> MultipartUploader::send_parts(const std::string& key,
                                                       const std::string& upload_id,
                                                       ByteView body) {
    const std::size_t part_size = part_size_of(client_.settings());
    std::vector<std::string> etags((body.size() + part_size - 1) / part_size);
    Guarded<std::exception_ptr> first_failure;
    std::stop_source stop;
    const std::stop_callback stop_with_all(policy_.options().stop, [&] { stop.request_stop(); });
    const RetryPolicy policy = policy_.stopped_by(stop.get_token());
    for_each_index_in_parallel(etags.size(), client_.settings().concurrency, [&](std::size_t i) {
        const std::size_t offset = i * part_size;
        const std::size_t size = std::min(part_size, body.size() - offset);
        try {
            etags[i] = send_part(key, upload_id, i, body.subspan(offset, size), policy);
        } catch (...) {
            // Kept before the others are stopped: that they were canceled tells nobody why.
            first_failure.with([](std::exception_ptr& first) {
                if (!first) first = std::current_exception();
            });
            stop.request_stop();
        }
    });
    first_failure.with([](const std::exception_ptr& first) {
        if (first) std::rethrow_exception(first);
    });
    return etags;
}

MultipartUploader::Completion MultipartUploader::complete(const Sent& sent, Fencing fencing,
                                                          const std::function<bool()>& is_taken) {
    const Checksum checksum = client_.settings().checksum;
    const std::string checksum_of_all = checksum_value(checksum, sent.body);
    const std::string document = completion_document(sent.etags);
    S3Request request{.operation = Operation::complete_upload,
                      .method = "POST",
                      .key = root_ + sent.key,
                      .query = {{"uploadId", sent.upload_id}},
                      .headers = {{"Content-Type", "application/xml"}},
                      .body = as_bytes(document)};
    if (fencing == Fencing::required) request.headers.push_back({"If-None-Match", "*"});
    if (checksum != Checksum::none) {
        request.headers.push_back({std::string(checksum_header(checksum)), checksum_of_all});
        request.headers.push_back({"x-amz-checksum-type", "FULL_OBJECT"});
        request.headers.push_back({"x-amz-mp-object-size", format("{}", sent.body.size())});
    }
    const std::string what = action("complete the upload of", sent.key);
    std::optional<CompletedUpload> done;
    const HttpResponse response = policy_.repeat("complete_upload", [&](unsigned) {
        HttpResponse answer = client_.exchange(request);
        if (answer.status == 200) done = read_completion(answer.body);
        if (done || answer.status == 412 || answer.status == 501 || needs_new_upload(answer))
            return answer;
        if (answer.status == 200 && !is_error_in_disguise(answer))
            throw Error(ErrorKind::unavailable, what + ": the answer is not a completion");
        throw make_error(answer, what);
    });
    if (done) {
        const std::string_view stored =
            checksum == Checksum::crc32c ? done->crc32c : done->crc64nvme;
        return !stored.empty() && stored == checksum_of_all ? Completion::proven
                                                            : Completion::completed;
    }
    if (response.status == 501) return Completion::unsupported;
    if (response.status == 412 || is_taken()) return Completion::taken;
    throw make_error(response, what);
}

MultipartUploader::Stored MultipartUploader::put_new(const std::string& key, ByteView body,
                                                     const std::function<bool()>& is_taken) {
    constexpr std::size_t with_a_thread = 2;
    const std::string upload_id = create(key);
    Sent sent{.key = key, .upload_id = upload_id, .body = body, .etags = {}};
    bool was_taken = false;
    try {
        run_beside(
            with_a_thread, [&] { was_taken = is_taken(); },
            [&] { sent.etags = send_parts(key, upload_id, body); });
    } catch (...) {
        abandon(key, upload_id);
        throw;
    }
    Completion completion = Completion::taken;
    if (!was_taken) completion = complete(sent, Fencing::required, is_taken);
    if (completion == Completion::unsupported && client_.settings().fencing == Fencing::none)
        completion = complete(sent, Fencing::none, is_taken);
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
            "Set multipart_threshold = \"64MiB\" in [store], so that no object goes in parts, or "
            "fencing = \"none\".");
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
