#include "archive/archive_pace.h"

#include <catch2/catch.hpp>

using namespace walden::archive;
using namespace std::chrono_literals;

namespace {

const ArchivePace::Time start{1h};

}  // namespace

TEST_CASE("what was archived more than a minute ago is not recent", "[archive][pace]") {
    ArchivePace pace;
    pace.note_archived(start, 100);
    pace.note_archived(start + 30s, 10);
    pace.note_archived(start + 40s, 1);
    CHECK(pace.recent(start + 60s).count == 3);
    CHECK(pace.recent(start + 60s).plain_size == 111);
    CHECK(pace.recent(start + 61s).plain_size == 11);
    CHECK(pace.recent(start + 10min).count == 0);
}

TEST_CASE("a backlog that grows by one file a minute grows by sixty an hour", "[archive][pace]") {
    ArchivePace pace;
    CHECK(pace.growth_per_hour(start) == 0);
    for (int minute = 0; minute <= 5; ++minute)
        pace.note_backlog(start + minute * 1min, static_cast<std::uint64_t>(100 + minute));
    CHECK(pace.growth_per_hour(start + 5min) == 60);
    CHECK(pace.ready_count() == 105);
}

TEST_CASE("growth is not told from less than a minute, and forgets what is long ago",
          "[archive][pace]") {
    ArchivePace pace;
    pace.note_backlog(start, 0);
    pace.note_backlog(start + 30s, 1000);
    CHECK(pace.growth_per_hour(start + 30s) == 0);
    // Half an hour later it has been shrinking for ten minutes.
    for (int minute = 20; minute <= 32; ++minute)
        pace.note_backlog(start + minute * 1min, static_cast<std::uint64_t>(1000 - 10 * minute));
    const auto growth = pace.growth_per_hour(start + 32min);
    CHECK(growth <= -590);
    CHECK(growth >= -610);
}
