#include "recovery/recovery_line.h"

#include "recovery/replay_pace.h"

#include <catch2/catch.hpp>

#include <string>

using namespace walden;
using namespace walden::recovery;
using namespace std::chrono_literals;

namespace {

const wal::SegmentSize size = *wal::SegmentSize::from_bytes(1 << 20);

wal::TimelineHistory history(wal::TimelineId timeline, const std::string& text) {
    return *wal::parse_timeline_history(as_bytes(text), timeline).history;
}

std::string names_of(const RecoveryLine& line, std::uint64_t number) {
    std::string text;
    for (const wal::SegmentName& name : line.names_of(number))
        text += std::to_string(name.timeline) + " ";
    return text;
}

}  // namespace

TEST_CASE("without a history the line is the timeline that is asked for", "[line]") {
    RecoveryLine line(size);
    CHECK(names_of(line, 6).empty());
    line.note_question({1, 5});
    CHECK(names_of(line, 6) == "1 ");
    line.note_question({3, 6});
    CHECK(names_of(line, 7) == "3 ");
}

TEST_CASE("a grandchild's line goes through its ancestors, newest first at a switch", "[line]") {
    RecoveryLine line(size);
    // 1 was left in segment 7, 2 at the very beginning of segment 10.
    line.note_history(history(2, "1\t0/700028\tx\n"));
    line.note_history(history(3, "1\t0/700028\tx\n2\t0/A00000\tx\n"));
    line.note_question({1, 5});
    CHECK(names_of(line, 6) == "1 ");
    CHECK(names_of(line, 7) == "2 1 ");
    CHECK(names_of(line, 9) == "2 ");
    CHECK(names_of(line, 10) == "3 ");
    line.note_question({2, 7});
    CHECK(names_of(line, 8) == "2 ");
}

TEST_CASE("an older timeline at the switch, after the newer one, is the same line", "[line]") {
    RecoveryLine line(size);
    line.note_history(history(2, "1\t0/700028\tx\n"));
    line.note_question({1, 6});
    line.note_question({2, 7});
    line.note_question({1, 7});
    CHECK(names_of(line, 8) == "2 ");
}

TEST_CASE("who stays on the older timeline follows another line", "[line]") {
    RecoveryLine line(size);
    line.note_history(history(2, "1\t0/700028\tx\n"));
    line.note_question({1, 6});
    line.note_question({1, 7});
    CHECK(names_of(line, 8) == "1 ");
    line.note_question({2, 8});
    CHECK(names_of(line, 9) == "2 ");
}

TEST_CASE("a guess is the line until a question contradicts it", "[line]") {
    const auto descendant = history(2, "1\t0/700028\tx\n");
    RecoveryLine line(size);
    line.note_guess(descendant);
    CHECK_FALSE(line.line().has_value());
    line.note_question({1, 5});
    CHECK(names_of(line, 7) == "1 ");
    line.note_guess(descendant);
    CHECK_FALSE(line.is_told());
    CHECK(names_of(line, 6) == "1 ");
    CHECK(names_of(line, 7) == "2 1 ");

    SECTION("the server goes on along it") {
        line.note_question({2, 7});
        CHECK(names_of(line, 8) == "2 ");
    }
    SECTION("the server stays on the older timeline") {
        line.note_question({1, 7});
        CHECK(names_of(line, 8) == "1 ");
    }
    SECTION("the server tells its line") {
        line.note_history(history(3, "1\t0/600028\tx\n"));
        CHECK(line.is_told());
        line.note_guess(descendant);
        line.note_question({1, 5});
        CHECK(names_of(line, 6) == "3 1 ");
    }
    SECTION("the server is behind the switch already: the guess came too late") {
        line.note_question({1, 9});
        line.note_guess(descendant);
        CHECK(names_of(line, 10) == "1 ");
    }
}

TEST_CASE("as deep as the pace of both sides asks for", "[pace]") {
    ReplayPace pace;
    CHECK(pace.depth(100) > 0);
    CHECK(pace.depth(1) == 1);
    CHECK(pace.depth(0) == 0);
    for (int i = 0; i < 50; ++i) {
        pace.note_replay(100ms);
        pace.note_fetch(20ms);
    }
    const std::size_t slow_replay = pace.depth(100);
    CHECK(slow_replay <= 4);
    for (int i = 0; i < 50; ++i) pace.note_fetch(1s);
    CHECK(pace.depth(100) >= slow_replay + 9);
    CHECK(pace.depth(100) <= slow_replay + 11);
    CHECK(pace.depth(5) == 5);
}

TEST_CASE("each miss makes it deeper, and a run of hits less deep", "[pace]") {
    ReplayPace pace;
    pace.note_replay(100ms);
    pace.note_fetch(10ms);
    const std::size_t least = pace.depth(1000);
    std::size_t before = least;
    for (int i = 0; i < 5; ++i) {
        pace.note_miss();
        CHECK(pace.depth(1000) > before);
        before = pace.depth(1000);
    }
    for (int i = 0; i < 10'000; ++i) pace.note_hit();
    CHECK(pace.depth(1000) <= least + 2);
    for (int i = 0; i < 100; ++i) pace.note_miss();
    CHECK(pace.depth(1000) < 1000);
}

TEST_CASE("a paused recovery goes on at its pace", "[pace]") {
    ReplayPace pace;
    for (int i = 0; i < 50; ++i) pace.note_replay(100ms);
    pace.note_replay(24h);
    CHECK(pace.replay() < 3s);
}
