#include "base/format.h"
#include "base/random.h"
#include "tools/commands/any_store.h"
#include "tools/commands/check/checker.h"
#include "vault/layout.h"

#include <chrono>

namespace walden::commands {

namespace {

/// Writes an object, tries to overwrite it, and takes it away again if that is allowed.
void check_fencing(const cli::Session& session, Checker& checker) {
    using Outcome = vault::ObjectStorage::PutOutcome;
    vault::ObjectStorage& storage = session.storage();
    const std::string key = format("{}{}", vault::check_prefix, to_hex(random_array<8>()));
    static_cast<void>(storage.put_new(key, as_bytes("walden check\n")));
    const bool is_fenced =
        storage.put_new(key, as_bytes("written twice\n")) == Outcome::already_present;
    try {
        const std::vector<std::string> keys = {key};
        storage.remove(keys);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::denied) throw;
        checker.ok("this host may not delete from the store, as it should be");
    }
    if (is_fenced)
        checker.ok(format("store {} can be written to and refuses to overwrite",
                          session.config().store.url));
    else
        checker.problem("the store let an existing object be created again",
                        "It cannot keep two servers from overwriting each other.");
}

/// Parts that somebody pays for and nobody sees.
void check_uploads(const cli::Config& config, Checker& checker) {
    const auto s3 = open_s3_store(config);
    if (!s3) return;
    const auto yesterday = std::chrono::system_clock::now() - std::chrono::hours(24);
    std::size_t old_count = 0;
    std::string example;
    for (const storage::s3::Upload& upload : s3->list_unfinished_uploads()) {
        if (upload.started > yesterday) continue;
        ++old_count;
        example = format("{} of {}", upload.key, storage::s3::iso_time(upload.started));
    }
    if (old_count == 0)
        checker.ok("no multipart upload was left unfinished for more than a day");
    else
        checker.warning(
            format("{} multipart upload{} unfinished for more than a day, such as {}", old_count,
                   old_count == 1 ? " is" : "s are", example),
            "Their parts take room and are not listed. \"walden expire\" removes them; so does a "
            "lifecycle rule (AbortIncompleteMultipartUpload).");
}

}  // namespace

void check_store(const cli::Session& session, Checker& checker) {
    checker.group([&] { check_fencing(session, checker); });
    checker.group([&] { check_uploads(session.config(), checker); });
}

}  // namespace walden::commands
