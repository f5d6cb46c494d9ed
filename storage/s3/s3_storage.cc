#include "storage/s3/s3_storage.h"

#include "base/error.h"
#include "base/format.h"
#include "crypto/digest.h"
#include "storage/s3/checksum.h"
#include "storage/s3/s3_error.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace walden::storage::s3 {

namespace {

using PutOutcome = vault::ObjectStorage::PutOutcome;
using vault::ObjectInfo;

/// S3's limit for one DeleteObjects.
constexpr std::size_t delete_batch_max = 1000;

/// An answer that is not the object may be an error document of this size.
constexpr std::size_t error_size_max = std::size_t{64} << 10;

CredentialOptions credential_options(const S3Settings& settings) {
    CredentialOptions options;
    options.profile = settings.profile;
    options.region = settings.region;
    options.proxy = settings.proxy;
    return options;
}

S3Settings with_region(S3Settings settings) {
    if (settings.region.empty()) settings.region = region_of(credential_options(settings));
    return settings;
}

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

/// The ETag of a PUT where it has the form of an MD5 and nothing speaks against it.
std::optional<std::string> md5_etag_of(const HttpResponse& response) {
    const std::string_view encryption = response.header("x-amz-server-side-encryption");
    const bool has_own_key =
        (!encryption.empty() && encryption != "AES256") ||
        !response.header("x-amz-server-side-encryption-customer-algorithm").empty();
    std::string_view etag = response.header("etag");
    if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"')
        etag = etag.substr(1, etag.size() - 2);
    if (has_own_key || etag.size() != 32) return std::nullopt;
    std::string text(etag);
    for (char& c : text) {
        if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return std::nullopt;
    }
    return text;
}

/// Whether "bytes 5-9/20" begins at `offset` and tells of `size` bytes.
bool is_range(std::string_view content_range, std::uint64_t offset, std::size_t size) {
    return size > 0 && content_range.starts_with(format("bytes {}-{}/", offset, offset + size - 1));
}

}  // namespace

S3Storage::S3Storage(const S3Settings& settings, RetryOptions retry)
    : S3Storage(with_region(settings),
                std::make_shared<CredentialProvider>(
                    [options = credential_options(settings)] { return find_credentials(options); }),
                std::chrono::system_clock::now, std::move(retry)) {}

S3Storage::S3Storage(const S3Settings& settings, std::shared_ptr<CredentialProvider> credentials,
                     S3Client::Clock now, RetryOptions retry)
    : root_(settings.prefix.empty() ? "" : settings.prefix + "/"),
      client_(settings, std::move(credentials), std::move(now)),
      policy_(std::move(retry), describe()),
      uploader_(client_, root_, policy_) {}

std::string S3Storage::describe() const {
    const S3Settings& settings = client_.settings();
    return format("s3://{}{}{}", settings.bucket, settings.prefix.empty() ? "" : "/",
                  settings.prefix);
}

std::string S3Storage::action(std::string_view verb, std::string_view key) const {
    return format("{} \"{}\" in {}", verb, key, describe());
}

void S3Storage::require_sound(const HttpResponse& response, const std::string& what) const {
    if (response.status < 200 || response.status > 299 || is_error_in_disguise(response))
        throw make_error(response, what);
}

bool S3Storage::is_absent(const HttpResponse& response) const {
    return response.status == 404 && error_document_of(response).code == "NoSuchKey";
}

/// A refusal for one key: whether it is the key or the permission is found out by a listing.
void S3Storage::fail(const HttpResponse& response, const std::string& key,
                     const std::string& what) {
    const std::string code = error_document_of(response).code;
    if (response.status != 403 || (!code.empty() && code != "AccessDenied"))
        throw make_error(response, what);
    const HttpResponse listing = client_.exchange(
        {.operation = Operation::list,
         .query = {{"list-type", "2"}, {"max-keys", "1"}, {"prefix", root_ + key}}});
    const std::string listing_code = error_document_of(listing).code;
    if (listing.status == 403 && listing_code != "AccessDenied" && !listing_code.empty())
        throw make_error(listing, what);  // it is the credentials, not a permission
    if (listing.status == 403)
        throw Error(ErrorKind::denied, what + ": permission s3:ListBucket is missing")
            .with_detail(
                "Without it S3 answers 403 for an object that does not exist, so nobody can "
                "tell whether this one does.")
            .with_hint(
                format("Allow s3:ListBucket on bucket \"{}\", and s3:GetObject on its objects.",
                       client_.settings().bucket));
    throw Error(ErrorKind::denied, what + ": permission s3:GetObject is missing")
        .with_hint(format("Allow s3:GetObject on the objects of bucket \"{}\".",
                          client_.settings().bucket));
}

HttpResponse S3Storage::send_put(const std::string& key, ByteView body, Fencing fencing) {
    const S3Settings& settings = client_.settings();
    S3Request request{.operation = Operation::put_object,
                      .method = "PUT",
                      .key = root_ + key,
                      .headers = object_headers(settings, client_.server_time()),
                      .body = body};
    if (fencing == Fencing::required) request.headers.push_back({"If-None-Match", "*"});
    request.headers.push_back({"Content-Type", "application/octet-stream"});
    if (settings.checksum != Checksum::none)
        request.headers.push_back({std::string(checksum_header(settings.checksum)),
                                   checksum_value(settings.checksum, body)});
    return client_.exchange(request);
}

PutOutcome S3Storage::put_whole(const std::string& key, ByteView body) {
    const bool may_be_unfenced = client_.settings().fencing == Fencing::none;
    // A store that ignores the condition would say "created" for every one of these.
    if (may_be_unfenced && stat(key)) return PutOutcome::already_present;
    const Fencing fencing =
        may_be_unfenced && lacks_conditional_put_ ? Fencing::none : Fencing::required;
    HttpResponse response = send_put(key, body, fencing);
    const std::string what = action("put", key);
    if (response.status == 501 && fencing == Fencing::required) {
        if (!may_be_unfenced)
            throw Error(ErrorKind::usage,
                        what + ": the store cannot create an object only if absent")
                .with_hint(
                    "Two servers could overwrite each other's WAL there. Use another store, or "
                    "set fencing = \"none\" if there is surely one writer.");
        lacks_conditional_put_ = true;
        response = send_put(key, body, Fencing::none);
    }
    if (response.status == 412) return PutOutcome::already_present;
    require_sound(response, what);
    require_stored(response, key, body);
    return PutOutcome::created;
}

/// Throws where the answer to a PUT shows that the store has taken other bytes than were sent
/// (fault 6), which is the only chance before the next restore: a HEAD for each object would cost
/// as much as the object. TCP, TLS and the signed SHA-256 guard the way there, and only where the
/// server looks; what it stored afterwards is told by the checksum in its answer. Where there is
/// none (radosgw 16.2, Swift), the ETag of a whole PUT is the MD5 of what was stored, except under
/// KMS or customer keys (API_Object in the S3 reference). MD5 runs at 0.73 GB/s: 1.7 ms for the
/// 1.2 MiB that a segment of 16 MiB becomes, and nothing where the store has a checksum.
void S3Storage::require_stored(const HttpResponse& response, const std::string& key,
                               ByteView body) {
    const std::string what = action("put", key) + ": the store keeps other bytes than were sent";
    const Checksum checksum = client_.settings().checksum;
    const std::string_view stored =
        checksum == Checksum::none ? "" : response.header(checksum_header(checksum));
    if (!stored.empty()) {
        if (stored != checksum_value(checksum, body)) throw Error(ErrorKind::corrupt, what);
        return;
    }
    if (!may_have_md5_etags_) return;
    const auto etag = md5_etag_of(response);
    if (!etag || *etag == to_hex(crypto::md5(body))) return;
    // Some store may give ETags that only look so. The object itself decides, once.
    Bytes present;
    if (!get(key, present) || !equal(present, body))
        throw Error(ErrorKind::corrupt, what).with_detail(format("Its ETag is {}.", *etag));
    may_have_md5_etags_ = false;
}

PutOutcome S3Storage::put_new(const std::string& key, ByteView body) {
    vault::require_valid_key(key);
    vault::require_valid_size(body.size());
    if (body.size() <= client_.settings().multipart_threshold) return put_whole(key, body);
    const auto look = [&] { return policy_.repeat("stat", [&](unsigned) { return find(key); }); };
    const auto upload = uploader_.put_new(key, body, [&] { return look().has_value(); });
    if (upload.outcome == PutOutcome::already_present || upload.is_proven) return upload.outcome;
    // A part that got lost on the way (fault 22 of the failure history) would show here.
    const auto stored = look();
    if (!stored || stored->size != body.size())
        throw Error(ErrorKind::corrupt,
                    format("{}: the store has {} of {} bytes after the upload", action("put", key),
                           stored ? stored->size : 0, body.size()));
    return upload.outcome;
}

PutOutcome S3Storage::put_new_in_parts(const std::string& key, ByteView body) {
    vault::require_valid_key(key);
    return uploader_.put_new(key, body, [] { return false; }).outcome;
}

HttpResponse S3Storage::send_get(const std::string& key, const NameValues& headers,
                                 std::size_t size_max, Bytes& out) {
    vault::require_valid_key(key);
    return client_.exchange({.operation = Operation::get_object,
                             .key = root_ + key,
                             .headers = headers,
                             .answer_size_max = std::max(size_max, error_size_max)},
                            std::move(out));
}

bool S3Storage::get(const std::string& key, Bytes& out) {
    HttpResponse response =
        send_get(key, {{"x-amz-checksum-mode", "ENABLED"}}, object_size_max, out);
    const std::string what = action("get", key);
    if (is_absent(response)) return false;
    if (response.status != 200) fail(response, key, what);
    if (!response.has_known_length())
        throw Error(ErrorKind::unavailable, what + ": the answer does not tell its length");
    for (const Checksum checksum : {Checksum::crc32c, Checksum::crc64nvme}) {
        const std::string_view stored = response.header(checksum_header(checksum));
        // "...-3" is made of the checksums of three parts, not of the bytes.
        if (stored.empty() || stored.find('-') != std::string_view::npos) continue;
        if (stored != checksum_value(checksum, response.body))
            throw Error(ErrorKind::unavailable,
                        what + ": the bytes received do not have the stored checksum");
    }
    out = std::move(response.body);
    return true;
}

bool S3Storage::get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                          Bytes& out) {
    if (size == 0 || offset >= object_size_max) {
        out.clear();
        return stat(key).has_value();
    }
    const std::uint64_t wanted = std::min<std::uint64_t>(size, object_size_max - offset);
    HttpResponse response = send_get(
        key, {{"Range", format("bytes={}-{}", offset, offset + wanted - 1)}}, object_size_max, out);
    const std::string what = action("get a range of", key);
    if (is_absent(response)) return false;
    if (response.status == 416) {  // it begins where the object ends, or behind
        out.clear();
        return true;
    }
    if (response.status != 206 && response.status != 200) fail(response, key, what);
    out = std::move(response.body);
    if (response.status == 200) {  // all of it, from a store that knows no ranges
        out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(
                                                 std::min<std::uint64_t>(offset, out.size())));
        if (out.size() > wanted) out.resize(static_cast<std::size_t>(wanted));
    } else if (out.size() > wanted ||
               !is_range(response.header("content-range"), offset, out.size())) {
        throw Error(ErrorKind::unavailable, what + ": the answer is another range");
    }
    return true;
}

/// Throws unless the bucket is there. A HEAD's 404 does not say what is missing.
void S3Storage::require_bucket() {
    const HttpResponse response =
        client_.exchange({.operation = Operation::head_bucket, .method = "HEAD"});
    if (response.status == 404)
        throw Error(ErrorKind::not_found,
                    format("there is no bucket \"{}\"", client_.settings().bucket))
            .with_hint("Check the bucket's name, region and endpoint.");
    // 403: the bucket is there, and the key was not found by somebody who may list.
    if (response.status != 200 && response.status != 403)
        throw make_error(response, format("look for bucket \"{}\"", client_.settings().bucket));
}

std::optional<ObjectInfo> S3Storage::stat(const std::string& key) {
    vault::require_valid_key(key);
    auto found = find(key);
    if (!found) require_bucket();
    return found;
}

/// As stat(), for whoever knows that the bucket is there.
std::optional<ObjectInfo> S3Storage::find(const std::string& key) {
    const HttpResponse response = client_.exchange(
        {.operation = Operation::head_object, .method = "HEAD", .key = root_ + key});
    const std::string what = action("look for", key);
    if (response.status == 404) return std::nullopt;
    if (response.status != 200) fail(response, key, what);
    const auto size = number_of(response.header("content-length"));
    if (!size) throw Error(ErrorKind::unavailable, what + ": the answer does not tell the size");
    return ObjectInfo{.key = key, .size = *size};
}

ListPage S3Storage::get_page(const std::string& prefix, const NameValues& position) {
    S3Request request{.operation = Operation::list,
                      .query = {{"list-type", "2"}, {"encoding-type", "url"}},
                      .answer_size_max = xml_size_max};
    if (!(root_ + prefix).empty()) request.query.push_back({"prefix", root_ + prefix});
    request.query.insert(request.query.end(), position.begin(), position.end());
    const HttpResponse response = client_.exchange(request);
    const std::string what = action("list", prefix);
    require_sound(response, what);
    auto page = read_list_page(response.body);
    if (!page) throw Error(ErrorKind::unavailable, what + ": the answer is not a complete listing");
    return std::move(*page);
}

void S3Storage::list(const std::string& prefix, const std::string& start_after,
                     const std::function<bool(const ObjectInfo&)>& visit) {
    vault::require_valid_prefix(prefix);
    NameValues position;
    if (!start_after.empty()) position.push_back({"start-after", root_ + start_after});
    std::string last = start_after;
    bool is_first = start_after.empty();
    for (;;) {
        const ListPage page = get_page(prefix, position);
        for (const ListedObject& object : page.objects) {
            if (!object.key.starts_with(root_ + prefix))
                throw Error(ErrorKind::corrupt,
                            action("list", prefix) + ": the answer has keys of another place");
            const std::string key = object.key.substr(root_.size());
            // A repeated or unsorted page would be read as objects that are missing.
            if (!is_first && key <= last)
                throw Error(ErrorKind::corrupt, action("list", prefix) + ": the keys do not ascend")
                    .with_detail(
                        "Directory buckets (S3 Express) list in no order and cannot be used.");
            is_first = false;
            last = key;
            // Nobody stores other keys through the port: a directory marker, a stranger's file.
            if (vault::is_valid_key(key) && !visit({.key = key, .size = object.size})) return;
        }
        if (!page.is_truncated) return;
        if (!position.empty() && position.front().value == page.next_token)
            throw Error(ErrorKind::unavailable,
                        action("list", prefix) + ": the listing does not go on");
        position = {{"continuation-token", page.next_token}};
    }
}

void S3Storage::remove(std::span<const std::string> keys) {
    for (const std::string& key : keys) vault::require_valid_key(key);
    for (std::size_t begin = 0; begin < keys.size(); begin += delete_batch_max) {
        const auto batch = keys.subspan(begin, std::min(delete_batch_max, keys.size() - begin));
        if (batch.size() == 1)
            remove_one(batch.front());
        else
            remove_batch(batch);
    }
}

void S3Storage::remove_one(const std::string& key) {
    const HttpResponse response = client_.exchange(
        {.operation = Operation::delete_object, .method = "DELETE", .key = root_ + key});
    // AWS answers 204 for what was not there; others 404.
    if (is_absent(response)) return;
    require_sound(response, action("remove", key));
}

void S3Storage::remove_batch(std::span<const std::string> keys) {
    std::string document =
        "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>";
    for (const std::string& key : keys)
        document += format("<Object><Key>{}</Key></Object>", escape_xml(root_ + key));
    document += "</Delete>";
    const HttpResponse response = client_.exchange(
        {.operation = Operation::delete_batch,
         .method = "POST",
         .query = {{"delete", ""}},
         .headers = {{"Content-Type", "application/xml"},
                     {"Content-MD5", encode_base64(crypto::md5(as_bytes(document)))}},
         .body = as_bytes(document),
         .answer_size_max = xml_size_max});
    const std::string what = format("remove {} objects from {}", keys.size(), describe());
    require_sound(response, what);
    const auto failures = read_delete_result(response.body);
    if (!failures)
        throw Error(ErrorKind::unavailable, what + ": the answer is not the result of a removal");
    for (const DeleteFailure& failure : *failures) {
        if (failure.code == "NoSuchKey") continue;
        throw Error(kind_of(0, failure.code),
                    format("{}: {} for \"{}\"", what, failure.code, failure.key));
    }
}

std::vector<Upload> S3Storage::list_unfinished_uploads() {
    return uploader_.list_unfinished();
}

void S3Storage::abort_upload(const std::string& key, const std::string& upload_id) {
    uploader_.abort(key, upload_id);
}

}  // namespace walden::storage::s3
