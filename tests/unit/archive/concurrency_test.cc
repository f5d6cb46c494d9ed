#include "archive/archiver.h"
#include "base/parallel.h"
#include "support/archive_fixture.h"
#include "support/errors.h"
#include "support/memory_storage.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <memory>
#include <thread>

using namespace walden;
using namespace walden::test;
using archive::ArchiveOutcome;
using storage::MemoryStorage;

namespace {

constexpr std::size_t pusher_count = 8;

/// Runs `push` on as many threads, which begin together.
template <class Push>
void race(const Push& push) {
    std::atomic<std::size_t> ready{0};
    for_each_index_in_parallel(pusher_count, pusher_count, [&](std::size_t i) {
        ++ready;
        for (int spins = 0; ready < pusher_count && spins < 100'000; ++spins)
            std::this_thread::yield();
        push(i);
    });
}

}  // namespace

TEST_CASE("eight processes push one segment at once: all succeed, it is there once (fault 20)",
          "[archive][race]") {
    for (const std::size_t records : {3U, 40U}) {
        MemoryStorage storage;
        const auto vault = make_vault(storage);
        put_test_identity(vault);
        const auto line = make_line({.count = 2, .record_count = records});
        const Host host;
        host.push(vault, line[0]);
        host.put_file(line[1]);
        std::atomic<std::size_t> failures{0};
        std::atomic<std::size_t> answers{0};
        race([&](std::size_t) {
            try {
                host.push(vault, line[1].name);
                ++answers;
            } catch (const Error&) {
                ++failures;
            }
        });
        CHECK(failures == 0);
        CHECK(answers == pusher_count);
        CHECK(keys_of(storage, vault.layout().wal_prefix()).size() == 2);
        CHECK(keys_of(storage, vault.layout().content_prefix()).size() == (records == 40 ? 2 : 0));
        CHECK(equal(*fetch(vault, line[1].name), line[1].bytes));
        const auto report = verify(vault);
        CHECK(problems_of(report).empty());
        CHECK(report.notes.empty());
    }
}

TEST_CASE("eight processes without state make the first push of a cluster at once",
          "[archive][race]") {
    for (int round = 0; round < 5; ++round) {
        MemoryStorage storage;
        const auto vault = make_vault(storage);
        put_test_identity(vault);
        const WalFile file = make_line({.count = 1, .record_count = 3}).front();
        const Host host;
        host.put_file(file);
        std::atomic<std::size_t> failures{0};
        race([&](std::size_t) {
            try {
                host.push(vault, file.name);
            } catch (const Error&) {
                ++failures;
            }
        });
        CHECK(failures == 0);
        CHECK(vault.claims().find("00000001")->generation == 1);
        CHECK(problems_of(verify(vault)).empty());
        // Whoever wrote the state last, the next segment goes in.
        CHECK(host.push(vault, make_line({.count = 2, .record_count = 3})[1]).outcome ==
              ArchiveOutcome::stored);
    }
}

TEST_CASE("of two contents raced under one name one wins, the other is told (fault 22)",
          "[archive][race]") {
    const auto line = make_line({.count = 2, .record_count = 40});
    const WalFile other = make_line({.count = 2, .seed = 5, .record_count = 40})[1];
    for (int round = 0; round < 5; ++round) {
        MemoryStorage storage;
        const auto vault = make_vault(storage);
        put_test_identity(vault);
        // The fork shares the first segment, so that it may join, and differs from there on.
        const Host host;
        const Host fork("db2");
        host.push(vault, line[0]);
        fork.push(vault, line[0]);
        host.put_file(line[1]);
        fork.put_file(other);
        std::atomic<std::size_t> stored[2] = {0, 0};
        std::atomic<std::size_t> conflicts[2] = {0, 0};
        std::atomic<std::size_t> strange{0};
        race([&](std::size_t i) {
            try {
                (i % 2 == 0 ? host : fork).push(vault, line[1].name);
                ++stored[i % 2];
            } catch (const Error& error) {
                ++(error.kind() == ErrorKind::conflict ? conflicts[i % 2] : strange);
            }
        });
        CHECK(strange == 0);
        const std::size_t winner = stored[0] > 0 ? 0 : 1;
        CHECK(stored[winner] == pusher_count / 2);
        CHECK(stored[1 - winner] == 0);
        CHECK(conflicts[1 - winner] == pusher_count / 2);
        CHECK(equal(*fetch(vault, line[1].name), winner == 0 ? line[1].bytes : other.bytes));
        CHECK(problems_of(verify(vault)).empty());
        CHECK(keys_of(storage, vault.layout().conflict_prefix()).size() <= 1);
    }
}
