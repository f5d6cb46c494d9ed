#include "wal/timeline_history.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::wal;

namespace {

TimelineHistory parse(std::string_view text, TimelineId child) {
    HistoryResult result = parse_timeline_history(as_bytes(text), child);
    INFO(result.reason);
    REQUIRE(result.history);
    return std::move(*result.history);
}

constexpr std::uint64_t mib16 = 16 << 20;

}  // namespace

TEST_CASE("a history names each ancestor's span and reason", "[wal][history]") {
    const TimelineHistory history = parse(
        "1\t0/3000098\tno recovery target specified\n\n"
        "# by hand\n  \n"
        "3\t0/5000000\tbefore 2026-11-22 14:32:00+00\n",
        4);
    REQUIRE(history.spans().size() == 3);
    CHECK(history.timeline() == 4);
    CHECK(history.spans()[0].reason == "no recovery target specified");
    CHECK(history.spans()[1].begin == Lsn{0x3000098});
    CHECK(history.spans()[1].end == Lsn{0x5000000});
    CHECK_FALSE(history.spans()[2].end);
    CHECK(history.switch_point(1) == Lsn{0x3000098});
    CHECK(history.switch_point(3) == Lsn{0x5000000});
    CHECK_FALSE(history.switch_point(4));
    CHECK_FALSE(history.switch_point(2));
    CHECK(history.contains(3));
    CHECK(history.contains(4));
    CHECK_FALSE(history.contains(2));
}

TEST_CASE("each position belongs to exactly one timeline of the line", "[wal][history]") {
    const TimelineHistory history = parse("1\t0/3000098\tx\n3\t0/5000000\ty\n", 4);
    CHECK(history.timeline_at({0}) == 1);
    CHECK(history.timeline_at({0x3000097}) == 1);
    CHECK(history.timeline_at({0x3000098}) == 3);
    CHECK(history.timeline_at({0x4FFFFFF}) == 3);
    CHECK(history.timeline_at({0x5000000}) == 4);
    CHECK(history.timeline_at({~std::uint64_t{0}}) == 4);
}

TEST_CASE("a segment with a switch point belongs to both timelines", "[wal][history]") {
    const TimelineHistory history = parse("1\t0/3000098\tx\n3\t0/5000000\ty\n", 4);
    using Timelines = std::vector<TimelineId>;
    const SegmentSize size;
    CHECK(history.timelines_of_segment(2, size) == Timelines{1});
    CHECK(history.timelines_of_segment(3, size) == Timelines{3, 1});
    CHECK(history.timelines_of_segment(4, size) == Timelines{3});
    // The second switch is at a boundary: nothing of segment 5 was left to timeline 3.
    CHECK(history.timelines_of_segment(5, size) == Timelines{4});
    CHECK(history.timelines_of_segment(~std::uint64_t{0} / mib16, size) == Timelines{4});
}

TEST_CASE("switch points that go back leave the timelines between without WAL", "[wal][history]") {
    // Recovery to a moment before an earlier switch, with recovery_target_timeline = latest.
    const TimelineHistory history = parse("1\t0/9000098\tx\n2\t0/3000028\ty\n", 3);
    using Timelines = std::vector<TimelineId>;
    CHECK(history.timeline_at({0x3000027}) == 1);
    CHECK(history.timeline_at({0x3000028}) == 3);
    CHECK(history.timeline_at({0x9000099}) == 3);
    CHECK(history.timelines_of_segment(3, {}) == Timelines{3, 1});
    CHECK(history.timelines_of_segment(5, {}) == Timelines{3});
    CHECK(history.timelines_of_segment(9, {}) == Timelines{3});
}

TEST_CASE("timeline 1 has no ancestors and needs no file", "[wal][history]") {
    CHECK(parse("", 1).spans().size() == 1);
    CHECK(TimelineHistory(1).timeline_at({5}) == 1);
}

TEST_CASE("an empty or malformed history is refused with a reason (fault 43)", "[wal][history]") {
    const auto [text, reason] = GENERATE(table<const char*, const char*>({
        {"", "names no parent"},
        {"\n# nothing\n", "names no parent"},
        {"x\t0/3000098\ty\n", "timeline in decimal"},
        {"0x1\t0/3000098\ty\n", "timeline in decimal"},
        {"-1\t0/3000098\ty\n", "timeline in decimal"},
        {"0\t0/3000098\ty\n", "timeline in decimal"},
        {"4294967296\t0/3000098\ty\n", "timeline in decimal"},
        {"1\n", "switch point"},
        {"1\t3000098\ty\n", "switch point"},
        {"1\t0/123456789\ty\n", "switch point"},
        {"1\t0/3000098\tx\n1\t0/4000098\ty\n", "line 2: timelines must ascend"},
        {"2\t0/3000098\tx\n1\t0/4000098\ty\n", "line 2: timelines must ascend"},
        {"4\t0/3000098\tx\n", "cannot be an ancestor"},
        {"9\t0/3000098\tx\n", "cannot be an ancestor"},
        {"1\t0/30000", "cut short"},
        {"1\t0/3000098\tx\n2\t0/4", "line 2: it is cut short"},
    }));
    const HistoryResult result = parse_timeline_history(as_bytes(text), 4);
    CHECK_FALSE(result.history);
    CHECK_THAT(result.reason, Catch::Contains(reason));
}

TEST_CASE("a history of zeros is refused (fault 43)", "[wal][history]") {
    const Bytes zeros = Bytes(42, std::byte{0});
    CHECK_FALSE(parse_timeline_history(zeros, 2).history);
    CHECK_FALSE(parse_timeline_history(zeros, 1).history);
}

TEST_CASE("a last line without newline counts if its reason has begun", "[wal][history]") {
    CHECK(parse("1\t0/3000098\tno recov", 2).switch_point(1) == Lsn{0x3000098});
}
