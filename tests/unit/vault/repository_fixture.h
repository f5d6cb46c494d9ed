// A repository with a few holders of keys, for the tests of Repository and of rotation.
#pragma once

#include "support/archive_fixture.h"
#include "support/memory_storage.h"
#include "vault/repository.h"

#include <string>
#include <utility>

namespace walden::test {

inline vault::Descriptor sample_descriptor(crypto::Suite suite = crypto::Suite::aes_256_gcm) {
    return {.id = test_repository(),
            .suite = suite,
            .fencing_proven = true,
            .created = "2026-11-22T14:32:00Z"};
}

inline crypto::NewSlot new_slot(const std::string& label, const std::string& cluster = "") {
    return {.label = label,
            .created = 1'700'000'000,
            .scrypt_cost = {.n = 1024, .r = 1, .p = 1},
            .cluster = cluster};
}

inline vault::Repository open_with(vault::ObjectStorage& storage,
                                   const crypto::UnlockSecret& secret) {
    return vault::Repository::open(storage, {.id = std::nullopt, .encryption = true},
                                   [&] { return secret; });
}

/// A repository with two read slots and one put slot of the cluster "main".
struct SharedRepository {
    storage::MemoryStorage storage;
    crypto::UnlockSecret admin = crypto::UnlockSecret::make_random_key();
    crypto::UnlockSecret second = crypto::UnlockSecret::make_random_key();
    crypto::UnlockSecret host = crypto::UnlockSecret::make_random_key();

    SharedRepository() {
        vault::Repository::create(storage, sample_descriptor(), &admin, new_slot("admin"));
        const vault::Repository repository = open_with(storage, admin);
        vault::add_slot(storage, second, *repository.bundle(), new_slot("second"));
        vault::add_slot(storage, host, *repository.bundle(), new_slot("host", "main"));
    }
};

}  // namespace walden::test
