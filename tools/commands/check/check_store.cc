#include "base/format.h"
#include "base/random.h"
#include "storage/http/timestamps.h"
#include "tools/commands/check/checker.h"
#include "tools/commands/text.h"
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
        checker.ok("store.removal", "this host cannot delete from the store, which is recommended");
    }
    if (is_fenced)
        checker.ok("store.fencing", format("store {} can be written to and refuses to overwrite",
                                           session.config().store.url));
    else
        checker.problem("store.fencing", "the store let an existing object be created again",
                        "It cannot keep two servers from overwriting each other.");
}

/// What somebody pays for and nobody sees.
void check_leftovers(const cli::Session& session, Checker& checker) {
    const storage::StoreKind& kind = session.store_kind();
    if (kind.find_leftovers == nullptr) return;
    const auto yesterday = std::chrono::system_clock::now() - std::chrono::hours(24);
    std::size_t old_count = 0;
    std::string example;
    for (const storage::Leftover& leftover : kind.find_leftovers(session.config().store)) {
        if (leftover.begun > yesterday) continue;
        ++old_count;
        example = format("{} of {}", leftover.key, storage::iso_time(leftover.begun));
    }
    if (old_count == 0)
        checker.ok("store.leftovers", format("no {} is older than a day", kind.leftover_name));
    else
        checker.warning(
            "store.leftovers",
            format("{} {} older than a day, such as {}", count_text(old_count, kind.leftover_name),
                   old_count == 1 ? "is" : "are", example),
            std::string(kind.leftover_hint));
}

}  // namespace

void check_store(const cli::Session& session, Checker& checker) {
    checker.group("store.fencing", [&] { check_fencing(session, checker); });
    checker.group("store.leftovers", [&] { check_leftovers(session, checker); });
}

}  // namespace walden::commands
