#include "wal/file_name.h"

#include <catch2/catch.hpp>

using namespace walden::wal;

namespace {

SegmentSize mib(std::uint64_t count) {
    return SegmentSize::from_bytes(count << 20).value();
}

}  // namespace

TEST_CASE("segment sizes are powers of two from 1 MiB to 1 GiB", "[wal][segment_name]") {
    for (std::uint64_t bytes = 1 << 20; bytes <= 1 << 30; bytes *= 2)
        CHECK(SegmentSize::from_bytes(bytes)->bytes() == bytes);
    for (const std::uint64_t bytes : {0ull, 1ull, 1ull << 19, 3ull << 20, 1ull << 31, 1ull << 40})
        CHECK_FALSE(SegmentSize::from_bytes(bytes));
    CHECK(SegmentSize().bytes() == 16 << 20);
}

TEST_CASE("the low part of a name stays below 4 GiB / segment size", "[wal][segment_name]") {
    const auto [size, last] =
        GENERATE(table<std::uint64_t, const char*>({{1,
                                                     "00000001000000020000"
                                                     "0FFF"},
                                                    {16, "0000000100000002000000FF"},
                                                    {64, "00000001000000020000003F"},
                                                    {1024, "000000010000000200000003"}}));
    const auto name = parse_segment_name(last, mib(size));
    REQUIRE(name);
    CHECK(to_string(*name, mib(size)) == last);
    CHECK(to_string(next(*name), mib(size)) == "000000010000000300000000");
    CHECK(previous(next(*name)) == *name);

    WalFileName above = parse_wal_file_name(last).value();
    ++above.low;
    CHECK_FALSE(parse_segment_name(to_string(above), mib(size)));
}

TEST_CASE("a segment's number and its positions agree", "[wal][segment_name]") {
    const SegmentName name = parse_segment_name("0000000A0000000B0000000C", mib(16)).value();
    CHECK(name.timeline == 10);
    CHECK(name.segment_number == 11 * 256 + 12);
    CHECK(to_string(first_lsn(name, mib(16))) == "B/C000000");
    CHECK(segment_number_of(first_lsn(name, mib(16)), mib(16)) == name.segment_number);
    CHECK(segment_number_of({first_lsn(name, mib(16)).value - 1}, mib(16)) ==
          name.segment_number - 1);
    CHECK(timeline_part(name.timeline) == "0000000A");
    CHECK(history_name(name.timeline) == "0000000A.history");
    CHECK_FALSE(previous(SegmentName{1, 0}));
}

TEST_CASE("each kind of WAL file name parses and prints back", "[wal][file_name]") {
    const auto [text, kind] = GENERATE(table<const char*, WalFileKind>(
        {{"000000010000000A000000FE", WalFileKind::segment},
         {"FFFFFFFFFFFFFFFFFFFFFFFF", WalFileKind::segment},
         {"000000010000000A000000FE.partial", WalFileKind::partial},
         {"000000010000000A000000FE.00000028.backup", WalFileKind::backup_label},
         {"0000000B.history", WalFileKind::history}}));
    const auto name = parse_wal_file_name(text);
    REQUIRE(name);
    CHECK(name->kind == kind);
    CHECK(to_string(*name) == text);
}

TEST_CASE("anything else is no WAL file name (fault 26)", "[wal][file_name]") {
    const char* const text = GENERATE(
        "", ".", "..", "/etc/passwd", "pg_wal/000000010000000A000000FE", "00000001.histor",
        "00000001.history ", "0000001.history", "000000001.history", "00000000.history",
        "0000000a.history", "000000010000000A000000F", "000000010000000A000000FE0",
        "000000010000000a000000fe", "000000000000000A000000FE", "000000010000000A000000FG",
        "000000010000000A000000FE.", "000000010000000A000000FE.part",
        "000000010000000A000000FE.partial.partial", "000000010000000A000000FE.backup",
        "000000010000000A000000FE.28.backup", "000000010000000A000000FE.0000002g.backup",
        "000000010000000A000000FE.000000028.backup", "000000010000000A000000FE.00000028.backupx",
        "000000010000000A000000FE.00000028", "+00000010000000A000000FE", "RECOVERYXLOG",
        "0x0000010000000A000000FE", "00000001 0000000A000000FE");
    CHECK_FALSE(parse_wal_file_name(text));
}

TEST_CASE("a zero byte or an embedded newline is no WAL file name (fault 26)", "[wal][file_name]") {
    using namespace std::string_view_literals;
    CHECK_FALSE(parse_wal_file_name("000000010000000A000000FE\0"sv));
    CHECK_FALSE(parse_wal_file_name("00000001.history\n"sv));
    CHECK_FALSE(parse_wal_file_name("0000000100\0000A000000FE"sv));
}

TEST_CASE("a name resolves once the segment size is known", "[wal][file_name]") {
    const auto resolve = [](const char* text, SegmentSize size) {
        return resolve_segment(parse_wal_file_name(text).value(), size);
    };
    CHECK(resolve("000000010000000000000100", mib(1)) == SegmentName{1, 256});
    CHECK_FALSE(resolve("000000010000000000000100", mib(16)));
    CHECK(resolve("000000010000000000000002.partial", mib(16)) == SegmentName{1, 2});
    CHECK(resolve("000000010000000000000002.000FFFF8.backup", mib(1)) == SegmentName{1, 2});
    CHECK_FALSE(resolve("000000010000000000000002.00100000.backup", mib(1)));
    CHECK_FALSE(resolve("00000002.history", mib(16)));
    CHECK_FALSE(parse_segment_name("000000010000000000000002.partial", mib(16)));
}
