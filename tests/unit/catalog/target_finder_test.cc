#include "catalog/target_finder.h"

#include "catalog/histories.h"
#include "catalog/stored_lines.h"
#include "support/archive_fixture.h"
#include "support/counting_storage.h"
#include "support/errors.h"
#include "support/faulty_storage.h"
#include "support/memory_storage.h"

#include <catch2/catch.hpp>

#include <string>

using namespace walden;
using namespace walden::test;
using namespace walden::catalog;
using Reach = TargetPlace::Reach;

namespace {

constexpr std::uint64_t first_number = 10;

/// Entries whose facts are made up; the contents do not matter here.
struct Archive {
    storage::MemoryStorage memory;
    storage::CountingStorage counting{memory};
    storage::FaultyStorage storage{counting};
    vault::ClusterVault vault = make_vault(storage, crypto::Suite::none);
    wal::TimelineHistory line{1};

    void put(vault::FileKind kind, const std::string& name, std::string_view text, Bytes facts,
             const std::string& key) const {
        vault::Entry entry;
        entry.kind = kind;
        entry.file_name = name;
        entry.system_identifier = test_system;
        entry.content_id = vault.contents().id_of(as_bytes(text));
        entry.facts = std::move(facts);
        vault.contents().put(as_bytes(text), {}, entry);
        static_cast<void>(vault.entries().publish(key, entry));
    }

    void put_segment(const wal::SegmentName& segment, const wal::SegmentFacts& facts) const {
        const std::string name = to_string(segment, test_segment_size);
        wal::StoredFacts stored;
        stored.end = wal::EndReason::switched;
        stored.valid_end = first_lsn(segment, test_segment_size) + 1000;
        stored.facts = facts;
        put(vault::FileKind::segment, name, "content of " + name, encode_facts(stored),
            vault.layout().segment_key(name));
    }

    void put_history(wal::TimelineId timeline, std::string_view text) const {
        const std::string name = wal::history_name(timeline);
        put(vault::FileKind::history, name, text, {}, vault.layout().history_key(name));
    }

    /// Of `count` segments from first_number on, each with commits at 1000 and 1090 times its
    /// number and the transaction ids of ten times its number.
    void put_busy(std::uint64_t count) const {
        for (std::uint64_t number = first_number; number < first_number + count; ++number)
            put_segment({1, number}, busy(number));
    }

    static wal::SegmentFacts busy(std::uint64_t number) {
        const auto n = static_cast<std::int64_t>(number);
        const auto xid = static_cast<std::uint32_t>(number * 10);
        wal::SegmentFacts facts;
        facts.end_times = wal::TimeRange{n * 1000, n * 1000 + 90};
        facts.xids = wal::XidRange{xid, xid + 9};
        return facts;
    }

    void remove(std::uint64_t number) {
        const std::vector<std::string> keys{
            vault.layout().segment_key(to_string(wal::SegmentName{1, number}, test_segment_size))};
        memory.remove(keys);
    }

    TargetPlace find(const pg::RecoveryTarget& target, std::uint64_t from = first_number) const {
        return TargetFinder(vault, test_segment_size, line, from).find(target);
    }
};

pg::RecoveryTarget lsn_target(std::uint64_t lsn) {
    pg::RecoveryTarget target;
    target.kind = pg::TargetKind::lsn;
    target.lsn = {lsn};
    return target;
}

pg::RecoveryTarget time_target(wal::Timestamp time, bool is_inclusive = true) {
    pg::RecoveryTarget target;
    target.kind = pg::TargetKind::time;
    target.time = time;
    target.is_inclusive = is_inclusive;
    return target;
}

pg::RecoveryTarget xid_target(std::uint32_t xid) {
    pg::RecoveryTarget target;
    target.kind = pg::TargetKind::xid;
    target.xid = xid;
    return target;
}

/// The number of the segment that was found on timeline 1.
std::uint64_t number_of(const TargetPlace& place) {
    REQUIRE(place.reach == Reach::in_archive);
    REQUIRE(place.segment.has_value());
    CHECK(place.segment->timeline == 1);
    return place.segment->segment_number;
}

}  // namespace

TEST_CASE("a position is in its segment, or beyond the last record of the archive", "[target]") {
    Archive archive;
    archive.put_busy(5);
    const std::uint64_t size = test_segment_size.bytes();
    CHECK(number_of(archive.find(lsn_target(11 * size + 40))) == 11);
    CHECK_FALSE(archive.find(lsn_target(11 * size + 40)).is_estimate);
    CHECK(number_of(archive.find(lsn_target(12 * size))) == 12);
    // The last one ends with a switch 1000 bytes behind its beginning.
    CHECK(number_of(archive.find(lsn_target(14 * size + 999))) == 14);
    CHECK(archive.find(lsn_target(14 * size + 1000)).reach == Reach::beyond_archive);
    CHECK(number_of(archive.find(lsn_target(13 * size + 999))) == 13);
    CHECK(number_of(archive.find(lsn_target(13 * size + 1000))) == 14);
    const auto beyond = archive.find(lsn_target(15 * size));
    CHECK(beyond.reach == Reach::beyond_archive);
    CHECK(beyond.archive_end == wal::SegmentName{1, 14});
    CHECK(archive.find(lsn_target(~std::uint64_t{0})).reach == Reach::beyond_archive);
}

TEST_CASE("a time is found by the commits, inclusively or not", "[target]") {
    Archive archive;
    archive.put_busy(30);
    for (std::uint64_t number = first_number; number < first_number + 30; ++number) {
        const auto begin = static_cast<wal::Timestamp>(number * 1000);
        CHECK(number_of(archive.find(time_target(begin))) == number);
        CHECK(number_of(archive.find(time_target(begin - 500))) == number);
        CHECK(number_of(archive.find(time_target(begin + 89))) == number);
        CHECK(number_of(archive.find(time_target(begin + 90, false))) == number);
    }
    // Inclusively, recovery goes on to the first commit behind that time.
    CHECK(number_of(archive.find(time_target(20'090))) == 21);
    const auto place = archive.find(time_target(20'000));
    CHECK(place.is_estimate);
    CHECK(place.archive_end == wal::SegmentName{1, 39});
    const auto beyond = archive.find(time_target(39'090));
    CHECK(beyond.reach == Reach::beyond_archive);
    CHECK(beyond.last_commit == 39'090);
    CHECK(number_of(archive.find(time_target(39'090, false))) == 39);
}

TEST_CASE("finding a time reads few entries and no contents", "[target]") {
    Archive archive;
    archive.put_busy(1000);
    const auto before = archive.counting.counts();
    CHECK(number_of(archive.find(time_target(777'000))) == 777);
    const auto after = archive.counting.counts();
    CHECK(after.get_count - before.get_count <= 11);
    CHECK(after.list_count - before.list_count == 1);
}

TEST_CASE("segments without a commit do not lead astray", "[target]") {
    Archive archive;
    // Commits in few of them, as a long bulk load leaves it.
    for (std::uint64_t number = 10; number < 130; ++number)
        archive.put_segment({1, number}, number == 10 || number == 30 || number == 110
                                             ? Archive::busy(number)
                                             : wal::SegmentFacts());
    CHECK(number_of(archive.find(time_target(10'050))) == 10);
    // Not every one is looked at: it may be one of the next with a commit.
    const auto found = number_of(archive.find(time_target(25'000)));
    CHECK((found == 30 || found == 110));

    Archive idle;
    for (std::uint64_t number = 10; number < 22; ++number)
        idle.put_segment({1, number}, number == 12 ? Archive::busy(12) : wal::SegmentFacts());
    CHECK(number_of(idle.find(time_target(12'000))) == 12);
    CHECK(idle.find(time_target(13'000)).reach == Reach::beyond_archive);
}

TEST_CASE("where nothing has a commit the archive does not tell, and few entries are read",
          "[target]") {
    Archive archive;
    for (std::uint64_t number = 10; number < 400; ++number) archive.put_segment({1, number}, {});
    const auto before = archive.counting.counts();
    const auto place = archive.find(time_target(1));
    CHECK(place.reach == Reach::not_told);
    CHECK(mentions(place.reason, "without a transaction"));
    CHECK(place.archive_end == wal::SegmentName{1, 399});
    CHECK(archive.counting.counts().get_count - before.get_count <= TargetFinder::entries_max);
}

TEST_CASE("holes and damaged entries are passed over", "[target]") {
    Archive archive;
    archive.put_busy(20);
    archive.remove(20);
    archive.remove(15);
    const std::string damaged =
        archive.vault.layout().segment_key(to_string(wal::SegmentName{1, 19}, test_segment_size));
    archive.remove(19);
    static_cast<void>(archive.memory.put_new(damaged, as_bytes("not an entry")));
    for (const std::uint64_t number : {11U, 14U, 18U, 21U, 29U})
        CHECK(number_of(archive.find(time_target(static_cast<wal::Timestamp>(number) * 1000))) ==
              number);
    // Who knows: the next that tells.
    CHECK(number_of(archive.find(time_target(19'000))) == 21);
}

TEST_CASE("a transaction is found by the ids, over their wrap, too", "[target]") {
    Archive archive;
    archive.put_busy(20);
    CHECK(number_of(archive.find(xid_target(155))) == 15);
    CHECK(number_of(archive.find(xid_target(100))) == 10);
    CHECK(archive.find(xid_target(300)).reach == Reach::beyond_archive);

    Archive wrapped;
    for (std::uint32_t i = 0; i < 12; ++i) {
        wal::SegmentFacts facts;
        const std::uint32_t oldest = 0xFFFF'FF00U + i * 100;  // 2^32 lies in the third
        facts.xids = wal::XidRange{oldest, oldest + 99};
        wrapped.put_segment({1, first_number + i}, facts);
    }
    CHECK(number_of(wrapped.find(xid_target(0xFFFF'FF10U))) == 10);
    CHECK(number_of(wrapped.find(xid_target(3))) == 12);
    CHECK(number_of(wrapped.find(xid_target(900))) == 21);
    CHECK(wrapped.find(xid_target(1000)).reach == Reach::beyond_archive);
}

TEST_CASE("a restore point's place is not known, and the archive's end is", "[target]") {
    Archive archive;
    archive.put_busy(3);
    pg::RecoveryTarget target;
    target.kind = pg::TargetKind::name;
    target.text = "before_lunch";
    const auto place = archive.find(target);
    CHECK(place.reach == Reach::not_told);
    CHECK(mentions(place.reason, "restore point"));
    CHECK(place.archive_end == wal::SegmentName{1, 12});
    target.kind = pg::TargetKind::none;
    CHECK(archive.find(target).archive_end == wal::SegmentName{1, 12});
    CHECK_FALSE(archive.find(target, 100).archive_end.has_value());
}

TEST_CASE("a store that cannot be read is an error and not an answer", "[target]") {
    Archive archive;
    archive.put_busy(5);
    archive.storage.reset();
    archive.storage.inject({.at = 1,
                            .repeat = storage::Fault::Repeat::from_then_on,
                            .verb = storage::StorageVerb::get});
    CHECK(kind_of([&] { static_cast<void>(archive.find(time_target(12'000))); }) ==
          ErrorKind::unavailable);
}

TEST_CASE("the search goes along the line of descent", "[target]") {
    Archive archive;
    archive.put_busy(8);  // 10 to 17 of timeline 1, of which 15 to 17 are of another line
    archive.put_history(2, "1\t0/F00028\tx\n");
    for (std::uint64_t number = 15; number < 20; ++number) {
        auto facts = Archive::busy(number);
        facts.end_times = wal::TimeRange{static_cast<std::int64_t>(number) * 2000,
                                         static_cast<std::int64_t>(number) * 2000 + 90};
        archive.put_segment({2, number}, facts);
    }
    archive.line = *read_history(archive.vault, 2);
    const auto place = archive.find(time_target(34'000));
    CHECK(place.segment == wal::SegmentName{2, 17});
    CHECK(place.archive_end == wal::SegmentName{2, 19});
    CHECK(archive.find(time_target(12'050)).segment == wal::SegmentName{1, 12});
    CHECK(archive.find(lsn_target(0x1200000)).segment == wal::SegmentName{2, 18});
}

TEST_CASE("where the archive ends on a line that has just begun", "[target][line]") {
    Archive archive;
    archive.put_busy(8);
    archive.put_history(2, "1\t0/F00028\tx\n");
    const auto line = *read_history(archive.vault, 2);
    // Behind the switch in segment 15 the old timeline is not of the line.
    CHECK(find_line_end(archive.vault, line, test_segment_size, 10) == wal::SegmentName{1, 15});
    CHECK_FALSE(find_line_end(archive.vault, line, test_segment_size, 16).has_value());
    CHECK(find_line_end(archive.vault, wal::TimelineHistory(1), test_segment_size, 0) ==
          wal::SegmentName{1, 17});
}

TEST_CASE("the newest timeline that descends through a segment is likely to be followed",
          "[target][line]") {
    Archive archive;
    const auto guess = [&](const wal::SegmentName& segment) -> wal::TimelineId {
        const auto line = guess_line(archive.vault, segment, test_segment_size);
        return line ? line->timeline() : 0;
    };
    CHECK(guess({1, 10}) == 0);
    archive.put_history(2, "1\t0/F00028\tx\n");
    archive.put_history(3, "1\t0/F00028\tx\n2\t0/1100028\tx\n");
    archive.put_history(4, "1\t0/B00028\tx\n");
    const auto before = archive.counting.counts();
    CHECK(guess({1, 10}) == 4);
    CHECK(archive.counting.counts().list_count - before.list_count == 1);
    CHECK(archive.counting.counts().get_count - before.get_count == 1);
    CHECK(guess({1, 12}) == 3);
    CHECK(guess({2, 16}) == 3);
    CHECK(guess({4, 20}) == 0);
    // No more than a few are read, and damage is passed over.
    for (wal::TimelineId timeline = 5; timeline < 40; ++timeline)
        archive.put_history(timeline, "1\t0/100028\tx\n");
    const auto many = archive.counting.counts();
    CHECK(guess({1, 12}) == 0);
    CHECK(archive.counting.counts().get_count - many.get_count == guess_reads_max);
    archive.put_history(40, "1\t0/C00028\tx\n");
    archive.put_history(41, "not a history\n");
    CHECK(guess({1, 12}) == 40);
}

TEST_CASE("the line of a target timeline is the one that PostgreSQL follows", "[target][line]") {
    Archive archive;
    const auto timeline = [&](std::string_view setting, wal::TimelineId from) {
        return read_target_line(archive.vault, setting, from).timeline();
    };
    CHECK(timeline("latest", 1) == 1);
    archive.put_history(2, "1\t0/F00028\tx\n");
    archive.put_history(3, "1\t0/F00028\tx\n2\t0/1000028\tx\n");
    archive.put_history(5, "1\t0/F00028\tx\n");
    CHECK(timeline("latest", 1) == 3);
    CHECK(timeline("latest", 2) == 3);
    CHECK(timeline("latest", 4) == 5);
    CHECK(timeline("current", 2) == 2);
    CHECK(timeline("5", 1) == 5);
    CHECK(read_target_line(archive.vault, "3", 1).spans().size() == 3);
    CHECK(kind_of([&] { static_cast<void>(timeline("0x", 1)); }) == ErrorKind::usage);
}
