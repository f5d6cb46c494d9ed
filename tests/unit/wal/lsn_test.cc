#include "wal/lsn.h"

#include <catch2/catch.hpp>

using namespace walden::wal;

TEST_CASE("parse_lsn inverts to_string", "[wal][lsn]") {
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{0x16B3740},
                                      std::uint64_t{0xA00000000}, ~std::uint64_t{0}})
        CHECK(parse_lsn(to_string(Lsn{value})) == Lsn{value});
    CHECK(to_string(Lsn{0x1'0000'00A0}) == "1/A0");
}

TEST_CASE("parse_lsn takes what PostgreSQL takes and nothing else", "[wal][lsn]") {
    CHECK(parse_lsn("0/0") == Lsn{0});
    CHECK(parse_lsn("a/0000000b") == Lsn{0xA0000000B});
    for (const char* text : {"", "/", "1/", "/1", "1", "1/2/3", " 1/2", "1/2 ", "-1/2", "+1/2",
                             "0x1/2", "1/123456789", "123456789/1", "1/G", "1//2"})
        CHECK_FALSE(parse_lsn(text));
}

TEST_CASE("positions order, advance and measure", "[wal][lsn]") {
    const Lsn lsn{100};
    CHECK(lsn < lsn + 1);
    CHECK((lsn + 28) - lsn == 28);
    CHECK(lsn.is_valid());
    CHECK_FALSE(Lsn{}.is_valid());
}
