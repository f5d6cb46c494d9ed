#include "pg/recovery_start.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::pg;

TEST_CASE("a backup label names the checkpoint that recovery begins with", "[pg][label]") {
    const auto position = parse_backup_label(
        "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"
        "CHECKPOINT LOCATION: 1A/2000060\n"
        "BACKUP METHOD: streamed\n"
        "LABEL: CHECKPOINT LOCATION: 0/1\n"
        "START TIMELINE: 17\n");
    REQUIRE(position.has_value());
    CHECK(position->lsn == wal::Lsn{0x1A'0200'0060});
    CHECK(position->timeline == 17);
}

TEST_CASE("a label that is cut or spoilt names none", "[pg][label]") {
    const std::string whole = "CHECKPOINT LOCATION: 0/2000060\nSTART TIMELINE: 1\n";
    CHECK(parse_backup_label(whole).has_value());
    CHECK_FALSE(parse_backup_label("").has_value());
    CHECK_FALSE(parse_backup_label(whole.substr(0, 40)).has_value());
    CHECK_FALSE(parse_backup_label("CHECKPOINT LOCATION: x/y\nSTART TIMELINE: 1\n").has_value());
    CHECK_FALSE(parse_backup_label("CHECKPOINT LOCATION: 0/1\nSTART TIMELINE: 0\n").has_value());
    CHECK_FALSE(parse_backup_label("CHECKPOINT LOCATION: 0/1\nSTART TIMELINE: 1x\n").has_value());
    CHECK_FALSE(
        parse_backup_label("CHECKPOINT LOCATION: 0/1\nSTART TIMELINE: 4294967296\n").has_value());
}
