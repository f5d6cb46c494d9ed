#include "base/format.h"
#include "tools/commands/check/checker.h"
#include "vault/repository.h"

#include <algorithm>

namespace walden::commands {

void check_keys(const cli::Session& session, Checker& checker) {
    if (!session.repository().bundle()) {
        checker.warning("keys.encryption", "the archive is not encrypted",
                        "Anybody with access to the store can read it.");
        return;
    }
    const crypto::KeyBundle& bundle = *session.repository().bundle();
    checker.ok("keys.opens",
               format("the key opens the repository ({} bundle)", to_string(bundle.kind())));
    const auto slots = vault::list_slots(session.storage());
    const auto readers = std::count_if(slots.begin(), slots.end(), [](const auto& slot) {
        return slot.header.bundle == crypto::BundleKind::read;
    });
    if (readers < 2)
        checker.warning(
            "keys.readers", "there is only one key that can restore",
            "If it is lost, so is everything. Add another: \"walden keys add --passphrase\", or "
            "\"walden keys add --key-file FILE\" and keep that file elsewhere.");
}

}  // namespace walden::commands
