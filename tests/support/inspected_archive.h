// A small archive that has one of everything, for the tests of catalogue and verifier.
#pragma once

#include "support/archive_fixture.h"
#include "support/errors.h"
#include "support/memory_storage.h"

#include <string>

namespace walden::test {

/// Timeline 1: 5 (content object) and 6 (inlined), 7 kept as partial, a label, a conflict over 6;
/// timeline 2: history, 7 and 8. Adopted once on timeline 2.
struct InspectedArchive {
    storage::MemoryStorage storage;
    vault::ClusterVault vault = make_vault(storage);
    Fork fork = make_fork();
    WalFile label{fork.parent[1].name + ".00000028.backup",
                  to_bytes(as_bytes("START WAL LOCATION: 0/600028\n"))};
    WalFile partial{fork.parent[2].name + ".partial", fork.parent[2].bytes};
    WalFile loser = make_line({.first = {1, 6}, .count = 1, .seed = 8, .record_count = 45}).front();

    InspectedArchive() {
        put_test_identity(vault);
        const Host host;
        for (const WalFile& file :
             {fork.parent[0], fork.parent[1], label, fork.history, partial, fork.child[0]})
            host.push(vault, file);
        host.adopt(vault, 2);
        host.push(vault, fork.child[1]);
        const Host clone("clone");
        static_cast<void>(kind_of([&] { clone.push(vault, loser); }));
    }

    void remove(const std::string& key) { storage.remove(std::vector<std::string>{key}); }

    std::string segment_key(const WalFile& file) const {
        return vault.layout().segment_key(file.name);
    }

    std::string content_key(const WalFile& file) const {
        return vault.layout().content_key(file.name, vault.contents().id_of(file.bytes));
    }
};

}  // namespace walden::test
