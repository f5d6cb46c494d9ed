// The port on S3 and whatever speaks its protocol.
#pragma once

#include "storage/s3/multipart.h"
#include "storage/s3/s3_client.h"
#include "storage/s3/s3_settings.h"
#include "vault/object_storage.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace walden::storage::s3 {

/// Objects are created with If-None-Match: *, so that of two writers one wins. Where settings say
/// Fencing::none and the store cannot, put_new asks first and then writes: right with one writer.
///
/// Answers and what becomes of them (everything else by s3_error.h):
///   412 on a PUT                     already_present; it may be the answer to our own lost request
///   409 ConditionalRequestConflict   unavailable: somebody is writing, ask again
///   404 NoSuchKey                    absent; other 404s are errors: a wrong bucket, a web server
///   403 for a key                    denied; the message tells if s3:ListBucket lacks, without
///                                    which S3 answers 403 for keys that do not exist
///   2xx with an error document       that error
///   2xx whose checksum, or for want of one whose ETag, is of other bytes
///                                    corrupt; the name is taken then, by what was stored
///   a body shorter than announced    unavailable
class S3Storage final : public vault::ObjectStorage {
public:
    /// Does not ask the store yet. Throws Error(usage) for settings that cannot be used.
    ///
    /// `retry` is for the steps of one put_new in parts, each of which is repeated by itself: give
    /// it what the RetryingStorage around this has, and a part that fails for good fails both.
    explicit S3Storage(const S3Settings& settings, RetryOptions retry = one_attempt());

    /// For tests: other credentials, another clock.
    S3Storage(const S3Settings& settings, std::shared_ptr<CredentialProvider> credentials,
              S3Client::Clock now, RetryOptions retry = one_attempt());

    PutOutcome put_new(const std::string& key, ByteView body) override;
    [[nodiscard]] bool get(const std::string& key, Bytes& out) override;
    [[nodiscard]] bool get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                                 Bytes& out) override;
    [[nodiscard]] std::optional<vault::ObjectInfo> stat(const std::string& key) override;
    void list(const std::string& prefix, const std::string& start_after,
              const std::function<bool(const vault::ObjectInfo&)>& visit) override;
    void remove(std::span<const std::string> keys) override;

    /// A server answers when the object is stored (checked for none of them: it is what S3
    /// promises).
    [[nodiscard]] bool is_durable_once_visible() const override { return true; }

    [[nodiscard]] std::string describe() const override;

    [[nodiscard]] S3Statistics statistics() const { return client_.statistics(); }

    /// See MultipartUploader.
    [[nodiscard]] std::vector<Upload> list_unfinished_uploads();
    void abort_upload(const std::string& key, const std::string& upload_id);

    /// As put_new, and always as a multipart upload, without asking first whether the key is taken:
    /// for the probe of `walden init`.
    PutOutcome put_new_in_parts(const std::string& key, ByteView body);

private:
    [[nodiscard]] std::string action(std::string_view verb, std::string_view key) const;
    [[nodiscard]] PutOutcome put_whole(const std::string& key, ByteView body);
    void require_stored(const HttpResponse& response, const std::string& key, ByteView body);
    [[nodiscard]] HttpResponse send_put(const std::string& key, ByteView body, Fencing fencing);
    [[nodiscard]] HttpResponse send_get(const std::string& key, const NameValues& headers,
                                        std::size_t size_max, Bytes& out);
    [[nodiscard]] bool is_absent(const HttpResponse& response) const;
    void require_bucket();
    [[nodiscard]] std::optional<vault::ObjectInfo> find(const std::string& key);
    void require_sound(const HttpResponse& response, const std::string& what) const;
    [[noreturn]] void fail(const HttpResponse& response, const std::string& key,
                           const std::string& what);
    [[nodiscard]] ListPage get_page(const std::string& prefix, const NameValues& position);
    void remove_one(const std::string& key);
    void remove_batch(std::span<const std::string> keys);

    std::string root_;  ///< the prefix and a slash, or empty
    S3Client client_;
    RetryPolicy policy_;
    MultipartUploader uploader_;
    /// With Fencing::none: the store has refused a conditional PUT once.
    std::atomic<bool> lacks_conditional_put_{false};
    /// An ETag that looked like an MD5 and was none has not been seen yet.
    std::atomic<bool> may_have_md5_etags_{true};
};

}  // namespace walden::storage::s3
