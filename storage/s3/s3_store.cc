#include "storage/s3/s3_store.h"

#include "base/error.h"
#include "storage/s3/s3_storage.h"

namespace walden::storage::s3 {

namespace {

std::unique_ptr<vault::ObjectStorage> open(const StoreSettings& settings,
                                           const RetryOptions& retry) {
    return std::make_unique<S3Storage>(settings.s3, retry);
}

bool accepts_unfenced(const StoreSettings& settings) {
    return settings.s3.fencing == Fencing::none;
}

/// With the condition, whatever is accepted: a storage that need not rely on it would look first
/// and so hide the truth.
FencingProof prove_fencing(const StoreSettings& settings, const std::string& key) {
    S3Settings strict = settings.s3;
    strict.fencing = Fencing::required;
    S3Storage storage(strict);
    try {
        return probe_fencing(storage, key);
    } catch (const Error& error) {
        // corrupt: it says that it has taken the second body, and keeps the first.
        if (error.kind() != ErrorKind::usage && error.kind() != ErrorKind::corrupt) throw;
        return {.is_proven = false, .reason = error.message()};
    }
}

/// What happens if a multipart upload is completed under a name that is taken.
StepwiseProof prove_completion(const StoreSettings& settings, const std::string& key) {
    using Outcome = vault::ObjectStorage::PutOutcome;
    S3Storage storage(settings.s3);
    try {
        static_cast<void>(storage.put_new_in_parts(key, as_bytes("first")));
        const Outcome second = storage.put_new_in_parts(key, as_bytes("second"));
        remove_if_allowed(storage, {key});
        if (second == Outcome::already_present) return {.outcome = "conditional", .note = ""};
        return {.outcome = "unconditional",
                .note =
                    "The store ignores the condition on multipart uploads, so walden asks whether "
                    "the object exists before it completes one."};
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::usage) throw;
        return {.outcome = "unsupported",
                .note =
                    "The store has no multipart uploads: set multipart_threshold = \"64MiB\" in "
                    "[store]."};
    }
}

SweepCount sweep(const StoreSettings& settings, const SweepOptions& options) {
    S3Storage storage(settings.s3);
    const auto before = std::chrono::system_clock::now() - options.older_than;
    SweepCount result;
    for (const Upload& upload : storage.list_unfinished_uploads()) {
        if (upload.started > before) {
            ++result.kept_count;
            continue;
        }
        options.observe({.key = upload.key, .begun = upload.started});
        if (!options.is_dry_run) storage.abort_upload(upload.key, upload.upload_id);
        ++result.removed_count;
    }
    return result;
}

std::vector<Leftover> find_leftovers(const StoreSettings& settings) {
    std::vector<Leftover> all;
    for (Upload& upload : S3Storage(settings.s3).list_unfinished_uploads())
        all.push_back({.key = std::move(upload.key), .begun = upload.started});
    return all;
}

}  // namespace

constinit const StoreKind s3_store = {
    .scheme = s3_scheme,
    .url_pattern = "s3://bucket/prefix",
    .open = open,
    .prove_fencing = prove_fencing,
    .accepts_unfenced = accepts_unfenced,
    .unfenced_consent = "set fencing = \"none\" in [store]",
    .prove_stepwise = prove_completion,
    .sweep = sweep,
    .find_leftovers = find_leftovers,
    .leftover_name = "unfinished upload",
    .leftover_hint =
        "Their parts take room and are not listed. \"walden expire\" removes them; so does a "
        "lifecycle rule (AbortIncompleteMultipartUpload).",
};

}  // namespace walden::storage::s3
