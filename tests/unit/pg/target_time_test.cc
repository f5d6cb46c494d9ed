#include "pg/target_time.h"

#include "wal/stored_facts.h"

#include <catch2/catch.hpp>

namespace walden::pg {

TEST_CASE("parse_target_time inverts to_utc_text", "[pg][target_time]") {
    for (const wal::Timestamp time :
         {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1}, std::int64_t{833'000'000'123'456}})
        CHECK(parse_target_time(wal::to_utc_text(time)) == time);
}

TEST_CASE("one moment may be written in many ways", "[pg][target_time]") {
    const auto moment = parse_target_time("2026-06-04 14:31:59+00");
    REQUIRE(moment);
    for (const char* text :
         {"2026-06-04T14:31:59Z", "2026-06-04 14:31:59 UTC", "2026-06-04 16:31:59+02",
          "2026-06-04 16:31:59.000+02:00", "2026-06-04 07:01:59-07:30"})
        CHECK(parse_target_time(text) == moment);
    CHECK(parse_target_time("2026-06-04 14:32+00") == *moment + 1'000'000);
    CHECK(parse_target_time("2026-06-04 14:31:59.5+00") == *moment + 500'000);
}

TEST_CASE("a time without a zone, and what is no time, is refused", "[pg][target_time]") {
    for (const char* text :
         {"", "2026-06-04 14:31:59", "2026-06-04", "2026-02-30 14:31:59Z", "2026-06-04 24:00:00Z",
          "2026-06-04 14:60:00Z", "2026-06-04 14:31:59.Z", "2026-06-04 14:31:59.1234567Z",
          "2026-06-04 14:31:59Z ", "2026-06-04 14:31:59+", "2026-6-4 14:31:59Z", "yesterday",
          "2026-06-04 14:31:59 CEST"})
        CHECK(parse_target_time(text) == std::nullopt);
}

}  // namespace walden::pg
