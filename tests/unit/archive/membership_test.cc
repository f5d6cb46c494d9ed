#include "archive/membership.h"

#include "base/file.h"
#include "support/archive_fixture.h"
#include "support/errors.h"
#include "support/memory_storage.h"
#include "support/wal_builder.h"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace walden;
using namespace walden::test;
using archive::ArchiveOutcome;
using storage::MemoryStorage;

namespace {

struct Archive {
    MemoryStorage storage;
    vault::ClusterVault vault = make_vault(storage);
    Host host;
    std::vector<WalFile> line = make_line({.count = 5, .record_count = 5});

    Archive() { put_test_identity(vault); }

    std::optional<ErrorKind> failure_of(const Host& pusher, const WalFile& file) {
        return kind_of([&] { pusher.push(vault, file); });
    }
};

}  // namespace

TEST_CASE("the first push on a timeline claims it", "[archive][membership]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    const auto claim = a.vault.claims().find("00000001");
    REQUIRE(claim.has_value());
    CHECK(claim->generation == 1);
    CHECK(claim->instance == a.host.state().instance());
    CHECK(claim->host == "db1");
    CHECK(claim->pgdata == "/srv/db1");
    CHECK(claim->reason == vault::ClaimReason::first_use);
    CHECK(a.host.state().membership(1) == 1);
}

TEST_CASE("a second instance is refused, both are named (invariant 10, faults 21 and 22)",
          "[archive][membership]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    const Host clone("db2");
    const auto error = error_of([&] { clone.push(a.vault, a.line[1]); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::conflict);
    CHECK(mentions(error->detail(), "db1"));
    CHECK(mentions(error->detail(), "/srv/db2"));
    CHECK(mentions(error->detail(), to_hex(a.host.state().instance())));
    CHECK(mentions(error->hint(), "clone"));
    CHECK_FALSE(fetch(a.vault, a.line[1].name).has_value());
    CHECK(clone.state().membership(1) == 0);
}

TEST_CASE("two restores that take the same timeline: the second is refused (fault 21)",
          "[archive][membership]") {
    Archive a;
    const Fork fork = make_fork();
    a.host.push(a.vault, fork.history);
    const Host second("db2");
    // Byte-identical history files prove nothing.
    CHECK(a.failure_of(second, fork.history) == ErrorKind::conflict);
    CHECK(a.failure_of(second, fork.child[0]) == ErrorKind::conflict);
    CHECK_FALSE(a.failure_of(a.host, fork.child[0]).has_value());
}

TEST_CASE("an instance that holds the same WAL joins", "[archive][membership]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    a.host.push(a.vault, a.line[1]);
    // A standby with archive_mode = always.
    const Host standby("db2");
    standby.put_files({a.line[0], a.line[1], a.line[2]});
    CHECK(standby.push(a.vault, a.line[2].name).outcome == ArchiveOutcome::stored);
    CHECK(standby.state().membership(1) == 1);
    CHECK(standby.push(a.vault, a.line[3]).outcome == ArchiveOutcome::stored);
    CHECK(a.host.push(a.vault, a.line[4]).outcome == ArchiveOutcome::stored);
    CHECK(a.vault.claims().find("00000001")->generation == 1);
}

TEST_CASE("the newest segment that both have decides, not an older one they share (fault 22)",
          "[archive][membership]") {
    Archive a;
    for (std::size_t i = 0; i < 3; ++i) a.host.push(a.vault, a.line[i]);
    const Host fork("db2");
    WalFile other = make_line({.count = 5, .seed = 4, .record_count = 5})[2];
    fork.put_files({a.line[0], a.line[1], other, a.line[3]});
    CHECK(a.failure_of(fork, a.line[3]) == ErrorKind::conflict);
}

TEST_CASE("lost local state is found again through identical WAL (invariant 39, fault 27)",
          "[archive][membership]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    a.host.push(a.vault, a.line[1]);
    const auto instance = a.host.state().instance();
    a.host.lose_state();
    CHECK(a.host.push(a.vault, a.line[2]).outcome == ArchiveOutcome::stored);
    CHECK(a.host.state().instance() != instance);
    CHECK(a.host.state().membership(1) == 1);
    CHECK(a.vault.claims().find("00000001")->instance == instance);
}

TEST_CASE("lost state without a common segment needs an operator", "[archive][membership]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    a.host.push(a.vault, a.line[1]);
    a.host.lose_state();
    std::filesystem::remove(a.host.path(a.line[0].name));
    std::filesystem::remove(a.host.path(a.line[1].name));
    CHECK(a.failure_of(a.host, a.line[2]) == ErrorKind::conflict);
    const vault::Claim claim = a.host.adopt(a.vault, 1);
    CHECK(claim.generation == 2);
    CHECK(claim.reason == vault::ClaimReason::adopted);
    CHECK(a.vault.claims().find("00000001") == claim);
    CHECK(a.host.push(a.vault, a.line[2]).outcome == ArchiveOutcome::stored);
    CHECK(problems_of(verify(a.vault)).empty());
}

TEST_CASE("state lost after a claim and before any WAL is no obstacle", "[archive][membership]") {
    Archive a;
    const Fork fork = make_fork();
    a.host.push(a.vault, fork.history);
    a.host.lose_state();
    CHECK(a.host.push(a.vault, fork.history).outcome == ArchiveOutcome::already_stored);
    a.host.lose_state();
    CHECK(a.host.push(a.vault, fork.child[0]).outcome == ArchiveOutcome::stored);
}

TEST_CASE("an instance that was put out by an adoption is refused (invariant 10)",
          "[archive][membership]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    const Host heir("db2");
    heir.put_file(a.line[0]);
    CHECK(heir.adopt(a.vault, 1).generation == 2);
    CHECK(heir.push(a.vault, a.line[1]).outcome == ArchiveOutcome::stored);
    a.host.put_file(a.line[1]);
    // Though it holds the same WAL.
    CHECK(a.failure_of(a.host, a.line[2]) == ErrorKind::conflict);
    // What is archived already adds nothing to the line, whoever asks.
    CHECK(a.host.push(a.vault, a.line[1].name).outcome == ArchiveOutcome::already_stored);
    CHECK(a.host.adopt(a.vault, 1).generation == 3);
    CHECK(a.host.push(a.vault, a.line[2]).outcome == ArchiveOutcome::stored);
    CHECK(a.failure_of(heir, a.line[3]) == ErrorKind::conflict);
}

TEST_CASE("a timeline that nobody claimed can be adopted, too", "[archive][membership]") {
    Archive a;
    CHECK(a.host.adopt(a.vault, 7).generation == 1);
    CHECK(a.vault.claims().find("00000007")->timeline == 7);
}

TEST_CASE("a damaged claim stops nobody who is in", "[archive][membership]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    const Host joined("db2");
    joined.put_file(a.line[0]);
    CHECK(joined.push(a.vault, a.line[1]).outcome == ArchiveOutcome::stored);
    a.storage.overwrite(a.vault.layout().claim_key("00000001", 1), as_bytes("rubbish"));
    a.host.put_file(a.line[1]);
    CHECK(a.host.push(a.vault, a.line[2]).outcome == ArchiveOutcome::stored);
    CHECK(joined.push(a.vault, a.line[3]).outcome == ArchiveOutcome::stored);
    CHECK(mentions(problems_of(verify(a.vault)), "claims/00000001.1"));
}

TEST_CASE("a damaged claim lets nobody in who has not the same WAL", "[archive][membership]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    a.host.push(a.vault, a.line[1]);
    a.storage.overwrite(a.vault.layout().claim_key("00000001", 1), as_bytes("rubbish"));
    const Host stranger("db2");
    const auto error = error_of([&] { stranger.push(a.vault, a.line[2]); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::conflict);
    CHECK(mentions(error->detail(), "claims/00000001.1"));
    CHECK(mentions(error->detail(), "db2"));
    CHECK(mentions(error->hint(), "walden adopt --timeline 1"));
    const Host fork("db3");
    fork.put_files({a.line[0], make_line({.count = 5, .seed = 4, .record_count = 5})[1]});
    CHECK(a.failure_of(fork, a.line[2]) == ErrorKind::conflict);
    a.host.lose_state();
    CHECK(a.host.push(a.vault, a.line[2]).outcome == ArchiveOutcome::stored);
}

TEST_CASE("where a claim alone would prove that it is the same place, a damaged one does not",
          "[archive][membership]") {
    Archive a;
    const Fork fork = make_fork();
    a.host.push(a.vault, fork.history);
    a.host.lose_state();
    a.storage.overwrite(a.vault.layout().claim_key("00000002", 1), as_bytes("rubbish"));
    CHECK(a.failure_of(a.host, fork.child[0]) == ErrorKind::conflict);
    CHECK(a.host.adopt(a.vault, 2).generation == 2);
    CHECK(a.host.push(a.vault, fork.child[0]).outcome == ArchiveOutcome::stored);
}

TEST_CASE("a damaged claim of an adoption keeps out whoever was in before",
          "[archive][membership]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    const Host heir("db2");
    heir.put_file(a.line[0]);
    CHECK(heir.adopt(a.vault, 1).generation == 2);
    a.storage.overwrite(a.vault.layout().claim_key("00000001", 2), as_bytes("rubbish"));
    CHECK(a.failure_of(a.host, a.line[1]) == ErrorKind::conflict);
    CHECK(heir.push(a.vault, a.line[1]).outcome == ArchiveOutcome::stored);
    CHECK(heir.adopt(a.vault, 1).generation == 3);
}

TEST_CASE("a damaged older claim does not hide a newer one", "[archive][membership]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    const vault::Claim adopted = a.host.adopt(a.vault, 1);
    a.storage.overwrite(a.vault.layout().claim_key("00000001", 1), as_bytes("rubbish"));
    CHECK(a.vault.claims().find_newest("00000001")->claim == adopted);
    CHECK(a.host.push(a.vault, a.line[1]).outcome == ArchiveOutcome::stored);
}

TEST_CASE("the host describes itself in one short line", "[archive][membership]") {
    const std::string host = archive::describe_host();
    CHECK_FALSE(host.empty());
    CHECK(host.size() < 300);
    CHECK_FALSE(mentions(host, "\n"));
}

namespace {

/// A primary that archived two segments, lost its state, and has nothing in pg_wal any more but
/// what follows them.
struct Recycled {
    MemoryStorage storage;
    vault::ClusterVault vault = make_vault(storage);
    Host host;
    std::vector<WalFile> line;

    explicit Recycled(bool crosses = true, std::uint32_t seed = 1)
        : line(make_crossing_line(crosses, seed)) {
        put_test_identity(vault);
        for (std::size_t i = 0; i < 2; ++i) {
            host.push(vault, line[i]);
            std::filesystem::remove(host.path(line[i].name));
        }
        host.lose_state();
        for (std::size_t i = 2; i < line.size(); ++i) host.put_file(line[i]);
    }

    static std::vector<WalFile> make_crossing_line(bool crosses, std::uint32_t seed) {
        WalBuilder builder({.first = {1, 5}, .seed = seed});
        std::vector<WalFile> files;
        for (std::size_t i = 0; i < 4; ++i) {
            for (int n = 0; n < 30; ++n) builder.record(2000);
            if (crosses)
                builder.fill(20'000, 10'000).record(30'000);
            else
                builder.switch_segment();
            files.push_back({to_string(builder.name(i), test_segment_size), builder.segment(i)});
        }
        return files;
    }
};

}  // namespace

TEST_CASE(
    "lost state with all archived segments recycled: a record that crosses proves descent "
    "(invariant 39)",
    "[archive][membership]") {
    Recycled r;
    CHECK(r.host.push(r.vault, r.line[2].name).outcome == ArchiveOutcome::stored);
    CHECK(r.host.state().membership(1) == 1);
    CHECK(r.host.push(r.vault, r.line[3].name).outcome == ArchiveOutcome::stored);
    CHECK(problems_of(verify(r.vault)).empty());
}

TEST_CASE("a fork is refused even where it begins behind the archive's newest segment (fault 21)",
          "[archive][membership]") {
    Recycled r;
    const Host fork("db2");
    const auto other = Recycled::make_crossing_line(true, 7);
    fork.put_files({other[2], other[3]});
    CHECK(kind_of([&] { fork.push(r.vault, other[2].name); }) == ErrorKind::conflict);
    CHECK(fork.state().membership(1) == 0);
}

TEST_CASE("where no record crosses, or a segment is missing between, an operator decides",
          "[archive][membership]") {
    {
        Recycled switched(false);
        CHECK(kind_of([&] { switched.host.push(switched.vault, switched.line[2].name); }) ==
              ErrorKind::conflict);
    }
    Recycled r;
    // Somebody archived the next one: the archive's newest is another one.
    const Host standby("db2");
    standby.put_files({r.line[1], r.line[2]});
    standby.push(r.vault, r.line[2].name);
    std::filesystem::remove(r.host.path(r.line[2].name));
    CHECK(r.host.push(r.vault, r.line[3].name).outcome == ArchiveOutcome::stored);
    Recycled late;
    const Host gap("db3");
    gap.put_file(late.line[3]);
    CHECK(kind_of([&] { gap.push(late.vault, late.line[3].name); }) == ErrorKind::conflict);
}
