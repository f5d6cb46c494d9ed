#include "catalog/descent.h"

#include "support/errors.h"

#include <catch2/catch.hpp>

#include <string>

using namespace walden;
using namespace walden::test;
using catalog::explain_descent;

namespace {

wal::TimelineHistory history(wal::TimelineId child, std::string_view text) {
    auto parsed = wal::parse_timeline_history(as_bytes(text), child);
    REQUIRE(parsed.history.has_value());
    return *parsed.history;
}

wal::Lsn lsn(std::string_view text) {
    return *wal::parse_lsn(text);
}

}  // namespace

TEST_CASE("a data directory follows a timeline that left its own behind its checkpoint",
          "[catalog][descent]") {
    const auto second = history(2, "1\t0/5000000\tno recovery target\n");
    CHECK_FALSE(explain_descent(second, {.checkpoint = lsn("0/4FFFFFF"), .timeline = 1}));
    CHECK_FALSE(explain_descent(second, {.checkpoint = lsn("0/5000000"), .timeline = 2}));
    CHECK_FALSE(
        explain_descent(wal::TimelineHistory(1), {.checkpoint = lsn("9/0"), .timeline = 1}));
    const auto grandchild = history(3, "1\t0/5000000\tx\n2\t0/7000000\tx\n");
    CHECK_FALSE(explain_descent(grandchild, {.checkpoint = lsn("0/4000000"), .timeline = 1}));
    CHECK_FALSE(explain_descent(grandchild, {.checkpoint = lsn("0/6000000"), .timeline = 2}));
}

TEST_CASE("what cannot follow is told where the timeline left, and the ways out",
          "[catalog][descent]") {
    const auto second = history(2, "1\t0/5000000\tno recovery target\n");
    const auto left = explain_descent(second, {.checkpoint = lsn("0/5000000"), .timeline = 1});
    REQUIRE(left.has_value());
    CHECK(left->text ==
          "timeline 2 is not a child of this data directory's history: its checkpoint is at "
          "0/5000000 on timeline 1, and timeline 2 left timeline 1 before that, at 0/5000000");
    CHECK(mentions(left->hint, "recovery_target_timeline = '1'"));
    CHECK(mentions(left->hint, "ended before 0/5000000"));
    CHECK(mentions(left->hint, "pg_rewind"));
    // The sibling of another recovery.
    const auto stranger = history(4, "1\t0/5000000\tx\n3\t0/7000000\tx\n");
    const auto other = explain_descent(stranger, {.checkpoint = lsn("0/6000000"), .timeline = 2});
    REQUIRE(other.has_value());
    CHECK(mentions(other->text,
                   "timeline 4 does not descend from timeline 2 (it descends from 1, 3)"));
    // A checkpoint of a timeline before that timeline began: a directory from elsewhere.
    const auto early = explain_descent(second, {.checkpoint = lsn("0/4000000"), .timeline = 2});
    REQUIRE(early.has_value());
    CHECK(mentions(early->text, "timeline 2 begins only at 0/5000000"));
}

TEST_CASE("what was replayed up to must be on the line, too", "[catalog][descent]") {
    const auto second = history(2, "1\t0/5000000\tno recovery target\n");
    const auto minimum = [&](std::string_view text) {
        return explain_descent(second, {.checkpoint = lsn("0/4000000"),
                                        .timeline = 1,
                                        .minimum_recovery = lsn(text),
                                        .minimum_recovery_timeline = 1});
    };
    CHECK_FALSE(minimum("0/5000000"));
    REQUIRE(minimum("0/5000001"));
    CHECK(mentions(minimum("0/5000001")->text,
                   "does not contain what this data directory has "
                   "replayed: up to 0/5000001 on timeline 1"));
}
