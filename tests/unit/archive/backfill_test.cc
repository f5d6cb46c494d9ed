#include "archive/line_backfill.h"
#include "base/format.h"
#include "support/archive_fixture.h"
#include "support/errors.h"
#include "support/memory_storage.h"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace walden;
using namespace walden::test;
using archive::BackfillPlan;
using archive::BackfillState;
using storage::MemoryStorage;

namespace {

/// Timeline 1 with segments 5 to 8 and half of 9, where timeline 2 begins; 9 and 10 of timeline 2.
struct Line {
    std::vector<WalFile> parent;  ///< the last one incomplete, under its full name
    WalFile history;
    std::vector<WalFile> child;
};

enum class Boundary : std::uint8_t {
    crossed,   ///< a record goes on in the next segment
    switched,  ///< as pg_switch_wal() ends it
};

WalFile file_of(const WalBuilder& builder, std::size_t index, wal::TimelineId timeline) {
    wal::SegmentName name = builder.name(index);
    name.timeline = timeline;
    return {to_string(name, test_segment_size), builder.segment(index)};
}

Line make_failed_over_line(Boundary boundary, std::uint32_t seed = 1) {
    Line line;
    WalBuilder parent({.first = {1, 5}, .seed = seed});
    for (std::size_t i = 0; i < 4; ++i) {
        for (int n = 0; n < 30; ++n) parent.record(2000);
        if (boundary == Boundary::switched)
            parent.switch_segment();
        else
            parent.fill(20'000, 10'000).record(30'000);
        line.parent.push_back(file_of(parent, i, 1));
    }
    for (int n = 0; n < 30; ++n) parent.record(2000);
    line.parent.push_back(file_of(parent, 4, 1));
    line.history = {
        "00000002.history",
        to_bytes(as_bytes(format("1\t{}\tno recovery target\n", to_string(parent.end()))))};
    parent.change_timeline(2);
    for (std::size_t i = 0; i < 2; ++i) {
        for (int n = 0; n < 30; ++n) parent.record(2000);
        parent.switch_segment();
        line.child.push_back(file_of(parent, 4 + i, 2));
    }
    return line;
}

/// A primary that archived `archived` segments of timeline 1 before it died, and the server that
/// goes on, with all of it in pg_wal, and its timeline archived.
struct Failover {
    MemoryStorage storage;
    vault::ClusterVault vault = make_vault(storage);
    Host primary{"db1"};
    Host successor{"db2"};
    Line line;

    explicit Failover(std::size_t archived, Boundary boundary = Boundary::crossed)
        : line(make_failed_over_line(boundary)) {
        put_test_identity(vault);
        for (std::size_t i = 0; i < archived; ++i) primary.push(vault, line.parent[i]);
        successor.put_files(line.parent);
        successor.push(vault, line.history);
        for (const WalFile& file : line.child) successor.push(vault, file);
    }

    /// What the successor would do, and does.
    std::optional<BackfillPlan> plan(const Host& host) {
        archive::LocalState state = host.state();
        const archive::Archiver archiver(vault, state, host.settings);
        return archive::Backfill(vault, archiver, host.wal_directory()).plan();
    }

    void run(const Host& host) {
        archive::LocalState state = host.state();
        const archive::Archiver archiver(vault, state, host.settings);
        const archive::Backfill backfill(vault, archiver, host.wal_directory());
        const auto plan = backfill.plan();
        for (const auto& segment : plan->segments)
            if (segment.state == BackfillState::missing)
                static_cast<void>(backfill.archive(segment));
    }

    /// "archived missing missing", in order.
    std::string states(const Host& host) {
        std::string text;
        const auto made = plan(host);
        for (const auto& segment : made->segments)
            text += format("{}{}", text.empty() ? "" : " ", to_string(segment.state));
        return text;
    }

    void drop(std::size_t index) const {
        std::filesystem::remove(successor.path(line.parent[index].name));
    }

    vault::Entry entry_of(std::size_t index) {
        return vault.entries().find(vault.layout().segment_key(line.parent[index].name))->entry;
    }
};

}  // namespace

TEST_CASE("what a dead primary left is archived from its successor's pg_wal, in one line",
          "[archive]") {
    const auto boundary = GENERATE(Boundary::crossed, Boundary::switched);
    Failover f(1, boundary);
    CHECK(kind_of([&] { static_cast<void>(fetch(f.vault, f.line.parent[1].name)); }) ==
          ErrorKind::missing);
    const auto keys = keys_of(f.storage);
    const auto plan = f.plan(f.successor);
    CHECK(f.states(f.successor) == "archived missing missing missing");
    CHECK(plan->completes_the_line());
    CHECK(plan->has_archived_history);
    CHECK(keys_of(f.storage) == keys);

    f.run(f.successor);
    CHECK(f.states(f.successor) == "archived archived archived archived");
    for (std::size_t i = 0; i < 4; ++i)
        CHECK(equal(*fetch(f.vault, f.line.parent[i].name), f.line.parent[i].bytes));
    for (std::size_t i = 1; i < 4; ++i) {
        CHECK(f.entry_of(i).predecessor->file_name == f.line.parent[i - 1].name);
        CHECK(f.entry_of(i).predecessor->content_id == f.entry_of(i - 1).content_id);
        CHECK(f.entry_of(i).writer.host == "db2");
    }
    // The one that holds the switch point is never served under timeline 1 (invariant 20).
    CHECK_FALSE(fetch(f.vault, f.line.parent[4].name).has_value());
    CHECK(problems_of(verify(f.vault)).empty());
}

TEST_CASE("backfilling takes nobody's timeline, and again adds nothing (invariants 4 and 10)",
          "[archive]") {
    Failover f(2);
    const auto owner = f.vault.claims().find("00000001");
    f.run(f.successor);
    CHECK(f.vault.claims().find("00000001") == owner);
    CHECK(f.successor.state().membership(1) == 0);
    const auto keys = keys_of(f.storage);
    f.run(f.successor);
    CHECK(keys_of(f.storage) == keys);
    // The primary was not dead after all: what it has is the same.
    for (const WalFile& file : {f.line.parent[2], f.line.parent[3]})
        CHECK(f.primary.push(f.vault, file).outcome == archive::ArchiveOutcome::already_stored);
}

TEST_CASE(
    "a record that crosses from the archive's segment proves what pg_wal has no neighbour for",
    "[archive]") {
    Failover f(2);
    f.drop(0);
    f.drop(1);
    CHECK(f.states(f.successor) == "missing missing");
    f.run(f.successor);
    CHECK(f.entry_of(2).predecessor->content_id == f.entry_of(1).content_id);
    CHECK(problems_of(verify(f.vault)).empty());
}

TEST_CASE("without a neighbour and without such a record nothing is proven", "[archive]") {
    Failover f(2, Boundary::switched);
    f.drop(0);
    f.drop(1);
    CHECK(f.states(f.successor) == "unproven unproven");
    CHECK_FALSE(f.plan(f.successor)->completes_the_line());
    const auto keys = keys_of(f.storage);
    f.run(f.successor);
    CHECK(keys_of(f.storage) == keys);
}

TEST_CASE("behind a hole the segment that follows is the neighbour, and the hole is told",
          "[archive]") {
    Failover f(1);
    f.drop(0);
    f.drop(1);
    CHECK(f.states(f.successor) == "missing missing");
    const auto plan = f.plan(f.successor);
    REQUIRE(plan->gaps.size() == 1);
    CHECK(plan->gaps.front().first == f.line.parent[1].name);
    CHECK(plan->gaps.front().last == f.line.parent[1].name);
    CHECK(plan->gaps.front().count == 1);
    CHECK_FALSE(plan->completes_the_line());
    f.run(f.successor);
    CHECK_FALSE(f.entry_of(2).predecessor.has_value());
    CHECK(f.entry_of(3).predecessor->file_name == f.line.parent[2].name);
}

TEST_CASE("all that is gone from pg_wal is told as a gap", "[archive]") {
    Failover f(1);
    for (std::size_t i = 0; i < 5; ++i) f.drop(i);
    const auto plan = f.plan(f.successor);
    CHECK(plan->segments.empty());
    REQUIRE(plan->gaps.size() == 1);
    CHECK(plan->gaps.front().count == 3);
}

TEST_CASE("a clone that wrote the same timeline by itself is refused (fault 22)", "[archive]") {
    Failover f(2);
    const Host clone("clone");
    // It has the same history, and other WAL from segment 6 on.
    const Line other = make_failed_over_line(Boundary::crossed, 99);
    clone.put_files(other.parent);
    clone.put_file(f.line.parent[0]);
    clone.put_file(f.line.history);
    CHECK(f.states(clone) == "archived different unproven unproven");
    const auto keys = keys_of(f.storage);
    f.run(clone);
    CHECK(keys_of(f.storage) == keys);
    // Where its own segment 6 is gone, the archive's does not lead to its segment 7.
    std::filesystem::remove(clone.path(other.parent[1].name));
    CHECK(f.states(clone) == "archived different unproven");
    f.run(clone);
    CHECK(keys_of(f.storage) == keys);
}

TEST_CASE("a damaged or recycled segment is never backfilled, nor what follows it (fault 11)",
          "[archive]") {
    Failover f(1);
    WalFile damaged = f.line.parent[2];
    SECTION("a flipped byte") {
        damaged.bytes[300'000] ^= std::byte{1};
    }
    SECTION("the bytes of another segment") {
        damaged.bytes = f.line.parent[0].bytes;
    }
    SECTION("zeros") {
        damaged.bytes.assign(damaged.bytes.size(), std::byte{0});
    }
    SECTION("half of it") {
        damaged.bytes.resize(damaged.bytes.size() / 2);
    }
    f.successor.put_file(damaged);
    CHECK(f.states(f.successor) == "archived missing unsound unproven");
    f.run(f.successor);
    CHECK(f.states(f.successor) == "archived archived unsound unproven");
    f.successor.put_file(f.line.parent[2]);
    f.run(f.successor);
    CHECK(f.plan(f.successor)->completes_the_line());
    CHECK(problems_of(verify(f.vault)).empty());
}

TEST_CASE("another history of the same timeline is another line", "[archive]") {
    Failover f(1);
    WalFile other = f.line.history;
    other.bytes = to_bytes(as_bytes("1\t0/900028\tno recovery target\n"));
    f.successor.put_file(other);
    CHECK(kind_of([&] { f.plan(f.successor); }) == ErrorKind::conflict);
    other.bytes.clear();
    f.successor.put_file(other);
    CHECK(kind_of([&] { f.plan(f.successor); }) == ErrorKind::corrupt);
}

TEST_CASE("a file that PostgreSQL recycles in between is not archived", "[archive]") {
    Failover f(1);
    archive::LocalState state = f.successor.state();
    const archive::Archiver archiver(f.vault, state, f.successor.settings);
    const archive::Backfill backfill(f.vault, archiver, f.successor.wal_directory());
    const auto plan = backfill.plan();
    WalFile other = make_failed_over_line(Boundary::crossed, 7).parent[1];
    f.successor.put_file(other);
    const auto keys = keys_of(f.storage);
    CHECK(kind_of([&] { static_cast<void>(backfill.archive(plan->segments[1])); }) ==
          ErrorKind::io);
    f.drop(1);
    CHECK(kind_of([&] { static_cast<void>(backfill.archive(plan->segments[1])); }) ==
          ErrorKind::io);
    CHECK(keys_of(f.storage) == keys);
}

TEST_CASE("a server on its first timeline has left none", "[archive]") {
    Failover f(1);
    CHECK_FALSE(f.plan(f.primary).has_value());
}
