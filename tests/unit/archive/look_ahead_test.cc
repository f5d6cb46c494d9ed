#include "archive/look_ahead.h"

#include "support/archive_fixture.h"
#include "support/counting_storage.h"
#include "support/faulty_storage.h"
#include "support/gated_storage.h"
#include "support/memory_storage.h"
#include "support/served_archive.h"

#include <catch2/catch.hpp>

#include <random>

using namespace walden;
using namespace walden::test;
using storage::CountingStorage;
using storage::FaultyStorage;
using storage::MemoryStorage;

TEST_CASE("one question makes it archive everything that is ready", "[look_ahead]") {
    MemoryStorage storage;
    put_test_identity(make_vault(storage));
    ServedHost served(storage);
    const auto line = make_line({.count = 10, .record_count = 40});
    served.make_ready(line);
    CHECK(is_archived(served.ask(line[0].name)));
    const auto flushed = served.look_ahead->flush([] { return true; });
    REQUIRE(flushed);
    CHECK(std::get<std::uint64_t>(*flushed) == 10);
    for (const WalFile& file : line)
        CHECK(equal(*fetch(make_vault(storage), file.name), file.bytes));
    CHECK(served.look_ahead->status().archived_count == 10);
    CHECK(served.look_ahead->status().ready_count == 10);
    CHECK(served.look_ahead->status().ahead_count == 10);
    // It never touches what is PostgreSQL's.
    CHECK(std::filesystem::exists(served.host.wal_directory() + "/archive_status/" + line[9].name +
                                  ".ready"));
}

TEST_CASE("what is done is answered without asking the store again", "[look_ahead]") {
    MemoryStorage storage;
    CountingStorage counting(storage);
    put_test_identity(make_vault(storage));
    ServedHost served(counting);
    const auto line = make_line({.count = 5, .record_count = 40});
    served.make_ready(line);
    CHECK(std::get<std::uint64_t>(*served.look_ahead->flush([] { return true; })) == 5);
    const auto before = counting.counts();
    for (const WalFile& file : line) {
        CHECK(is_archived(served.ask(file.name)));
        served.make_done(file.name);
    }
    CHECK(counting.counts() == before);
    CHECK(served.open_count == 1);
}

TEST_CASE("another file under a name that was archived is not answered from memory (row 19)",
          "[look_ahead]") {
    MemoryStorage storage;
    put_test_identity(make_vault(storage));
    ServedHost served(storage);
    const auto line = make_line({.count = 2, .record_count = 40});
    served.make_ready(line);
    CHECK(is_archived(served.ask(line[0].name)));
    const auto old = *find_file(served.host.path(line[0].name));
    served.make_ready(WalFile{line[0].name, make_line({.seed = 9, .record_count = 40})[0].bytes});
    const auto answer = served.ask(line[0].name);
    REQUIRE(answer);
    REQUIRE(std::holds_alternative<Error>(*answer));
    CHECK(std::get<Error>(*answer).kind() == ErrorKind::conflict);
    // Whoever means the old file is declined.
    const auto stale = served.look_ahead->archive(line[0].name, old, [] { return true; });
    CHECK(std::holds_alternative<archive::OtherFile>(*stale));
}

TEST_CASE("a failure is told to who asked, stops looking ahead and is not kept (fault 20, row 13)",
          "[look_ahead]") {
    MemoryStorage storage;
    FaultyStorage faulty(storage);
    put_test_identity(make_vault(storage));
    ServedHost served(faulty);
    const auto line = make_line({.count = 6, .record_count = 40});
    served.make_ready(line);
    faulty.inject({.at = 1,
                   .repeat = storage::Fault::Repeat::from_then_on,
                   .verb = storage::StorageVerb::put_new});
    const auto answer = served.ask(line[0].name);
    REQUIRE(answer);
    REQUIRE(std::holds_alternative<Error>(*answer));
    CHECK(std::get<Error>(*answer).message().find(line[0].name) != std::string::npos);
    CHECK(served.look_ahead->status().failure_count == 1);
    CHECK_FALSE(served.look_ahead->status().last_failure.empty());
    // The store is back: the same question succeeds, and all that follows.
    faulty.reset();
    CHECK(is_archived(served.ask(line[0].name)));
    CHECK(std::get<std::uint64_t>(*served.look_ahead->flush([] { return true; })) == 6);
    CHECK(served.look_ahead->status().last_failure.empty());
    CHECK(problems_of(verify(make_vault(storage))).empty());
}

TEST_CASE("a store that cannot be opened fails every question, until it can (rows 1, 30)",
          "[look_ahead]") {
    MemoryStorage storage;
    put_test_identity(make_vault(storage));
    ServedHost served(storage);
    served.refuses_to_open = true;
    const auto line = make_line({.count = 2, .record_count = 40});
    served.make_ready(line);
    for (int i = 0; i < 2; ++i) {
        const auto answer = served.ask(line[0].name);
        REQUIRE(answer);
        CHECK(std::get<Error>(*answer).message() == "the store is away");
    }
    CHECK(std::holds_alternative<Error>(*served.look_ahead->flush([] { return true; })));
    served.refuses_to_open = false;
    CHECK(is_archived(served.ask(line[0].name)));
}

TEST_CASE("a ready file without its segment is passed over, as PostgreSQL does", "[look_ahead]") {
    MemoryStorage storage;
    put_test_identity(make_vault(storage));
    ServedHost served(storage);
    const auto line = make_line({.count = 4, .record_count = 40});
    served.make_ready(line);
    std::filesystem::remove(served.host.path(line[1].name));
    CHECK(is_archived(served.ask(line[0].name)));
    CHECK(is_archived(served.ask(line[3].name)));
    CHECK(served.look_ahead->status().failure_count == 0);
}

TEST_CASE("whoever stops waiting does not stop the work", "[look_ahead]") {
    MemoryStorage storage;
    FaultyStorage faulty(storage);
    put_test_identity(make_vault(storage));
    ServedHost served(faulty);
    const auto line = make_line({.count = 3, .record_count = 40});
    served.make_ready(line);
    const auto flushed = served.look_ahead->flush([] { return false; });
    if (flushed) CHECK(std::get<std::uint64_t>(*flushed) == 3);
    CHECK(is_archived(served.ask(line[2].name)));
}

TEST_CASE(
    "random failures and questions: what is acknowledged is in the store (invariants 1, 2, 8)",
    "[look_ahead]") {
    const auto line = make_line({.count = 12, .record_count = 40});
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        MemoryStorage storage;
        FaultyStorage faulty(storage);
        const auto plain = make_vault(storage);
        put_test_identity(plain);
        ServedHost served(faulty);
        served.make_ready(line);
        using Mode = storage::FaultMode;
        faulty.inject_randomly(seed, 0.15, {Mode::error_before, Mode::error_after});
        std::size_t next = 0;
        for (int attempts = 0; next < line.size() && attempts < 400; ++attempts) {
            const auto answer = served.ask(line[next].name);
            REQUIRE(answer);
            if (!is_archived(answer)) continue;
            const auto entry = plain.entries().find(plain.layout().segment_key(line[next].name));
            REQUIRE(entry);
            CHECK(plain.contents().has(entry->entry));
            served.make_done(line[next].name);
            ++next;
            // The process dies now and then, and another one takes over.
            if (seed % 2 == 0 && next % 4 == 0) {
                served.look_ahead.reset();
                served.look_ahead = std::make_unique<archive::LookAhead>(
                    archive::LookAheadOptions{.wal_directory = served.host.wal_directory(),
                                              .pipeline = {.in_flight = 3}},
                    [&] { return std::make_unique<TestArchive>(faulty, served.host); });
            }
        }
        CHECK(next == line.size());
        served.look_ahead.reset();
        CHECK(problems_of(verify(plain)).empty());
    }
}

TEST_CASE("a flush that cannot look any more gives back its place, so the agent can leave",
          "[look_ahead]") {
    MemoryStorage memory;
    GatedStorage storage(memory);
    put_test_identity(make_vault(memory));
    ServedHost served(storage);
    served.make_ready(make_line({.count = 1, .record_count = 40}));
    storage.close("/wal/");
    const std::string status = served.host.wal_directory() + "/archive_status";
    CHECK_THROWS_AS(served.look_ahead->flush([&] {
        std::filesystem::rename(status, status + ".away");
        storage.open_all();
        return true;
    }),
                    Error);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!served.look_ahead->is_idle() && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    CHECK(served.look_ahead->is_idle());
}
