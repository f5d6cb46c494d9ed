#include "pg/backup_label.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::pg;

namespace {

const std::string whole =
    "START WAL LOCATION: 1A/2000028 (file 000000110000001A00000002)\n"
    "CHECKPOINT LOCATION: 1A/2000060\n"
    "BACKUP METHOD: streamed\n"
    "BACKUP FROM: standby\n"
    "START TIME: 2026-11-29 08:00:00 CET\n"
    "LABEL: CHECKPOINT LOCATION: 0/1\n"
    "START TIMELINE: 17\n";

std::string with(const std::string& from, const std::string& to) {
    std::string text = whole;
    return text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("a backup label tells what recovery begins with", "[pg][label]") {
    const auto label = parse_backup_label(whole);
    REQUIRE(label.has_value());
    CHECK(label->redo == wal::Lsn{0x1A'0200'0028});
    CHECK(label->checkpoint == wal::Lsn{0x1A'0200'0060});
    CHECK(label->timeline == 17);
    CHECK(label->segment == "000000110000001A00000002");
    CHECK(label->is_from_standby);
    CHECK_FALSE(label->is_incremental);
    CHECK(label->start_time == "2026-11-29 08:00:00 CET");
    CHECK(label->label == "CHECKPOINT LOCATION: 0/1");
    CHECK_FALSE(parse_backup_label(with("standby", "primary"))->is_from_standby);
    CHECK(parse_backup_label(whole + "INCREMENTAL FROM LSN: 1A/1000028\nINCREMENTAL FROM TLI: 17\n")
              ->is_incremental);
}

TEST_CASE("a label that is cut or spoilt names no checkpoint", "[pg][label]") {
    CHECK_FALSE(parse_backup_label("").has_value());
    CHECK_FALSE(parse_backup_label(whole.substr(0, whole.find("BACKUP METHOD"))).has_value());
    CHECK_FALSE(parse_backup_label(whole.substr(whole.find("CHECKPOINT"))).has_value());
    CHECK_FALSE(parse_backup_label(with("1A/2000060", "x/y")).has_value());
    CHECK_FALSE(parse_backup_label(with("1A/2000028", "1A")).has_value());
    CHECK_FALSE(parse_backup_label(with(" (file 000000110000001A00000002)", "")).has_value());
    CHECK_FALSE(parse_backup_label(with(": 17", ": 0")).has_value());
    CHECK_FALSE(parse_backup_label(with(": 17", ": 17x")).has_value());
    CHECK_FALSE(parse_backup_label(with(": 17", ": 4294967296")).has_value());
}

TEST_CASE("a label with line breaks cannot pretend to be other lines", "[pg][label]") {
    for (const char* line : {"START TIMELINE: 3", "CHECKPOINT LOCATION: 1A/2000070",
                             "START WAL LOCATION: 1A/2000000 (file 000000110000001A00000002)"})
        CHECK_FALSE(parse_backup_label(with("0/1", std::string("x\n") + line)).has_value());
}

TEST_CASE("line ends of another system do not matter", "[pg][label]") {
    std::string text;
    for (const char byte : whole) text += byte == '\n' ? "\r\n" : std::string(1, byte);
    const auto label = parse_backup_label(text);
    REQUIRE(label.has_value());
    CHECK(label->timeline == 17);
    CHECK(label->segment == "000000110000001A00000002");
}
