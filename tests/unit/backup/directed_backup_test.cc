// Backups that read what WAL names.
#include "backup_fixture.h"
#include "support/errors.h"
#include "support/memory_storage.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;

namespace {

constexpr wal::RelationFork fork_of(std::uint32_t relation, std::uint8_t fork = 0) {
    return {.tablespace = 1663, .database = 5, .relation = relation, .fork = fork};
}

/// WAL that names these pages of base/5/100.
backup::ChangedFiles named(const std::vector<std::uint32_t>& named_pages, double sample = 0,
                           std::vector<vault::DamagedPage> damaged = {}) {
    wal::BlockReferences list;
    list.begin = {0x1000000};
    list.end = {0x2000000};
    wal::ForkReferences fork;
    fork.relation = fork_of(100);
    for (const std::uint32_t page : named_pages) append_run(fork.runs, page, 0);
    if (!named_pages.empty()) list.forks.push_back(fork);
    wal::ChangedBlocks blocks;
    blocks.add(list);
    REQUIRE(blocks.problem().empty());
    return {std::move(blocks), std::move(damaged), sample, 1};
}

}  // namespace

TEST_CASE("pages that WAL does not name are not read", "[backup]") {
    storage::MemoryStorage storage;
    const DataDirectory data;
    data.write("base/5/100", pages(20'000, 1));
    data.write("base/5/100_vm", pages(1, 2));
    Backups backups(storage, data);
    static_cast<void>(backups.take());

    data.write_page("base/5/100", 3, "named");
    data.write_page("base/5/100", 9000, "named, too");
    data.write_page("base/5/100", 19'000, "not named: a hint bit, say");
    data.write_page("base/5/100_vm", 0, "never named");
    data.write("pg_xact/0000", "no relation");
    const auto outcome = backups.take({.changes = named({3, 9000})});
    CHECK(outcome.commit->counts.read_bytes < 10 * small_page);
    auto wanted = contents_of(data.path());
    wanted["base/5/100"].replace(19'000 * small_page, small_page,
                                 pages(20'000, 1).substr(19'000 * small_page, small_page));
    CHECK(backups.restore(outcome) == wanted);
    CHECK_FALSE(backups.last_surprise);
}

TEST_CASE("a file that grew or was cut is read where it did", "[backup]") {
    storage::MemoryStorage storage;
    const DataDirectory data;
    const std::string before = pages(10'000, 1);
    data.write("base/5/100", before);
    Backups backups(storage, data);
    static_cast<void>(backups.take());
    SECTION("grown") {
        data.write("base/5/100", before + pages(500, 2));
    }
    SECTION("grown to another section") {
        data.write("base/5/100", before + pages(9000, 2));
    }
    SECTION("cut") {
        data.write("base/5/100", before.substr(0, 9000 * small_page));
    }
    SECTION("cut to fewer sections") {
        data.write("base/5/100", before.substr(0, 8192 * small_page));
    }
    SECTION("cut to nothing") {
        data.write("base/5/100", "");
    }
    SECTION("half a page at its end") {
        data.write("base/5/100", before.substr(0, 9000 * small_page + 10));
    }
    const auto outcome = backups.take({.changes = named({})});
    CHECK(backups.restore(outcome) == contents_of(data.path()));
}

TEST_CASE("a file that the backup before has not is read", "[backup]") {
    storage::MemoryStorage storage;
    const DataDirectory data;
    Backups backups(storage, data);
    static_cast<void>(backups.take());
    data.write("base/5/100", pages(10, 1));
    const auto outcome = backups.take({.changes = named({})});
    CHECK(backups.restore(outcome) == contents_of(data.path()));
}

TEST_CASE("a page that changed without WAL is noticed by the sample", "[backup]") {
    storage::MemoryStorage storage;
    const DataDirectory data;
    data.write("base/5/100", pages(5000, 1));
    Backups backups(storage, data);
    static_cast<void>(backups.take());
    data.write_page("base/5/100", 4000, "nobody tells");
    static_cast<void>(backups.take({.changes = named({}, 0)}));
    CHECK_FALSE(backups.last_surprise);
    const auto outcome = backups.take({.changes = named({}, 1)});
    REQUIRE(backups.last_surprise);
    CHECK(backups.last_surprise->path == "base/5/100");
    CHECK(backups.last_surprise->page == 4000);
    CHECK(backups.restore(outcome) == contents_of(data.path()));
    // A page that is named may well have changed.
    data.write_page("base/5/100", 4000, "now WAL tells");
    static_cast<void>(backups.take({.changes = named({4000}, 1)}));
    CHECK_FALSE(backups.last_surprise);
}

TEST_CASE("pages that were damaged before are looked at again", "[backup]") {
    storage::MemoryStorage storage;
    const DataDirectory data;
    data.write("base/5/100", pages(5000, 1));
    Backups backups(storage, data);
    static_cast<void>(backups.take());
    data.write_page("base/5/100", 77, "repaired by hand");
    const auto outcome = backups.take(
        {.changes = named(
             {}, 0,
             {{.path = "base/5/100", .block = 77, .reason = vault::DamageReason::checksum}})});
    CHECK(backups.restore(outcome) == contents_of(data.path()));
}

TEST_CASE("pages in a pack that is left are read though nothing names them", "[backup]") {
    storage::MemoryStorage storage;
    const DataDirectory data;
    data.write("base/5/100", pages(4000, 1));
    Backups backups(storage, data);
    const auto first = backups.take();
    data.write("base/5/100", pages(2700, 2) + data.read("base/5/100").substr(2700 * small_page));
    static_cast<void>(backups.take());
    const auto third = backups.take({.changes = named({})});
    CHECK(std::find(third.commit->owners.begin(), third.commit->owners.end(), first.id) ==
          third.commit->owners.end());
    CHECK(third.commit->counts.read_bytes > 1000 * small_page);
    CHECK(third.commit->counts.read_bytes < 2000 * small_page);
    CHECK(backups.restore(third) == contents_of(data.path()));
}
