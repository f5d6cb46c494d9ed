// One object in several parts, sent side by side from one buffer.
//
// What keeps "nothing is ever overwritten" here: CompleteMultipartUpload carries If-None-Match: *,
// which AWS honours since November 2024. A store that ignores it there (radosgw 16.2 does, although
// it honours it on PutObject) leaves a window: two writers that both find the key free just before
// they complete. It is made small by a HEAD beside the parts, and harmless by what goes in parts:
// only contents and packs are that large, their keys end in the content id of their plain bytes, so
// the one that comes later replaces the other by an object that opens to the same bytes. Entries,
// claims and all that decides between two writers are a few KiB and never come here. `walden init`
// finds out which kind of store it is and says so.
#pragma once

#include "storage/http/timestamps.h"
#include "storage/s3/s3_client.h"
#include "storage/wrappers/retry_policy.h"
#include "vault/object_storage.h"

#include <functional>
#include <string>
#include <vector>

namespace walden::storage::s3 {

struct Upload {
    std::string key;  ///< as the port has it, without the prefix
    std::string upload_id;
    TimePoint started;
};

/// The headers that a new object gets: storage class, encryption, retention.
[[nodiscard]] NameValues object_headers(const S3Settings& settings, TimePoint now);

/// Makes uploads below one prefix of a bucket. Safe from several threads.
///
/// A part that fails is sent again by itself, and so is the completion: a 503 for one part costs
/// that part and not the 64 MiB around it. What only a new upload mends (NoSuchUpload, InvalidPart,
/// a 409) leaves at once, as do a refusal and a wrong setting; the first part that fails for good
/// ends the waits of the others.
class MultipartUploader {
public:
    /// `client` and `policy` must live longer. `root` is the prefix with a slash at its end, or
    /// empty.
    MultipartUploader(S3Client& client, std::string root, const RetryPolicy& policy)
        : client_(client), root_(std::move(root)), policy_(policy) {}

    struct Stored {
        vault::ObjectStorage::PutOutcome outcome = vault::ObjectStorage::PutOutcome::created;
        bool is_proven = false;  ///< the store told the checksum of the whole, and it is ours
    };

    /// Stores `body`, which is not empty, under `key` unless it is taken. `is_taken` is asked
    /// on a thread of its own while the parts are on their way, and again where a completion finds
    /// its upload gone, which an earlier one without an answer may have completed. After a failure
    /// before the completion the upload is aborted; after a completion whose outcome is unknown it
    /// is left alone, for aborting what is being completed could take its parts away:
    /// list_unfinished() finds what is left over.
    Stored put_new(const std::string& key, ByteView body, const std::function<bool()>& is_taken);

    /// Uploads that were begun and neither completed nor aborted, of whatever age: some may be
    /// running.
    [[nodiscard]] std::vector<Upload> list_unfinished();

    /// Ends an upload and frees its parts; one that is gone already is fine.
    void abort(const std::string& key, const std::string& upload_id);

private:
    enum class Completion : std::uint8_t { completed, proven, taken, unsupported };

    /// An upload whose parts are all in the store.
    struct Sent {
        const std::string& key;
        const std::string& upload_id;
        ByteView body;
        std::vector<std::string> etags;  ///< of the parts
    };

    [[nodiscard]] std::string create(const std::string& key);
    [[nodiscard]] std::string send_part(const std::string& key, const std::string& upload_id,
                                        std::size_t index, ByteView body,
                                        const RetryPolicy& policy);
    [[nodiscard]] std::vector<std::string> send_parts(const std::string& key,
                                                      const std::string& upload_id, ByteView body);
    [[nodiscard]] Completion complete(const Sent& sent, Fencing fencing,
                                      const std::function<bool()>& is_taken);
    void abandon(const std::string& key, const std::string& upload_id) noexcept;
    [[nodiscard]] std::string action(std::string_view verb, const std::string& key) const;

    S3Client& client_;
    std::string root_;
    const RetryPolicy& policy_;
};

}  // namespace walden::storage::s3
