// Damage is never taken for an end of WAL, and nothing outside the bytes is read.
#include "support/wal_builder.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::wal;
using test::WalBuilder;

namespace {

WalBuilder full_segment() {
    WalBuilder builder;
    builder.record(30).commit(50, 777).record(61).record(100);
    builder.fill_exactly();
    return builder;
}

}  // namespace

TEST_CASE("every flip of a bit in the first pages of a full segment is damage (fault 42)",
          "[wal][damage]") {
    const WalBuilder sound = full_segment();
    Bytes segment = sound.segment(0);
    const SegmentInput input = {.bytes = segment,
                                .name = sound.name(0),
                                .segment_size = sound.options().segment_size,
                                .system_identifier = sound.options().system_identifier};
    REQUIRE(read_segment(input).end == EndReason::full);
    for (std::size_t i = 0; i < 2 * 8192 + 512; ++i) {
        for (const unsigned bits : {1u, 0x80u, 0xFFu}) {
            segment[i] ^= static_cast<std::byte>(bits);
            const SegmentReport report = read_segment(input);
            segment[i] ^= static_cast<std::byte>(bits);
            // Not among the patterns: 4 in a page's flags, which says that backups may drop images
            // and may be either way.
            if (report.end == EndReason::damaged) continue;
            CAPTURE(i, bits);
            FAIL("not found");
        }
    }
}

TEST_CASE("every flip in the last page of a full segment changes the report", "[wal][damage]") {
    const WalBuilder sound = full_segment();
    Bytes segment = sound.segment(0);
    const SegmentInput input = {
        .bytes = segment, .name = sound.name(0), .segment_size = sound.options().segment_size};
    const SegmentReport whole = read_segment(input);
    for (std::size_t i = segment.size() - 8192; i < segment.size(); ++i) {
        segment[i] ^= std::byte{1};
        const SegmentReport report = read_segment(input);
        segment[i] ^= std::byte{1};
        CAPTURE(i, report.reason);
        // A length that grew beyond the segment looks like a record that continues in the next one,
        // where the carry tells. Everything else is found here.
        if (report.is_complete()) REQUIRE(report.carry_out != whole.carry_out);
    }
}

TEST_CASE("every flip behind a switch record is damage", "[wal][damage]") {
    WalBuilder builder;
    builder.record(100).switch_segment();
    const std::size_t offset = GENERATE(40u + 104 + 24, 8191u, 8192u, 500'000u, (1u << 20) - 1);
    CHECK(builder.flip_byte(offset).read().end == EndReason::damaged);
}

TEST_CASE("a damaged record before a switch is damage, not an end", "[wal][damage]") {
    WalBuilder builder;
    builder.record(100).record(100).switch_segment();
    builder.flip_byte(40 + GENERATE(0u, 8u, 20u, 24u, 60u));
    CHECK(builder.read().end == EndReason::damaged);
}

TEST_CASE("a report names the damaged record and what is wrong with it", "[wal][damage]") {
    WalBuilder builder = full_segment();
    const Lsn record = builder.records()[2];
    builder.flip_byte(builder.offset_of(record) + 40);
    const SegmentReport report = builder.read();
    CHECK(report.stopped_at == record);
    CHECK(report.valid_end == record);
    CHECK(report.facts.record_count == 2);
    CHECK_THAT(report.reason, Catch::Contains("CRC") && Catch::Contains(to_string(record)) &&
                                  Catch::Contains("of the same WAL follows"));
    CHECK_FALSE(report.carry_out);
}

TEST_CASE("a hole of zeros in the middle is damage, not an end (fault 41)", "[wal][damage]") {
    WalBuilder builder = full_segment();
    builder.zero(GENERATE(8192u, 3u * 8192, 100u * 8192 + 4096), 8192 * GENERATE(1u, 4u));
    CHECK(builder.read().end == EndReason::damaged);
}

TEST_CASE("a page of another segment in the middle is damage", "[wal][damage]") {
    WalBuilder other({.first = {1, 2}, .seed = 3});
    other.fill(200, 0);
    WalBuilder builder = full_segment();
    builder.store(8192 * 5, ByteView(other.segment(0)).subspan(8192 * 5, 8192));
    const SegmentReport report = builder.read();
    CHECK(report.end == EndReason::damaged);
    CHECK_THAT(report.reason, Catch::Contains("0/20A000"));
}

TEST_CASE("noise behind the end is damage", "[wal][damage]") {
    WalBuilder builder;
    builder.fill(300, 500'000);
    builder.store(800'000, as_bytes("no WAL page"));
    CHECK(builder.read().end == EndReason::damaged);
}

TEST_CASE("a segment that is not the one named has no records", "[wal][damage]") {
    const WalBuilder builder = full_segment();
    const Bytes segment = builder.segment(0);
    const SegmentReport report = read_segment({.bytes = segment,
                                               .name = next(builder.name(0)),
                                               .segment_size = builder.options().segment_size});
    CHECK(report.end == EndReason::damaged);
    CHECK_FALSE(report.header);
    CHECK(report.facts.record_count == 0);
    CHECK_THAT(report.reason, Catch::Contains("page address"));
}

TEST_CASE("a file of any other length is damaged, and not read beyond (fault 11)",
          "[wal][damage]") {
    const WalBuilder builder = full_segment();
    const Bytes segment = builder.segment(0);
    for (std::size_t size = 0; size < segment.size(); size += size < 9000 ? 1 : 8191) {
        // A copy of exactly that size, so that the address sanitizer sees a read behind it.
        const Bytes prefix = to_bytes(ByteView(segment).first(size));
        const SegmentReport report = read_segment({.bytes = prefix,
                                                   .name = builder.name(0),
                                                   .segment_size = builder.options().segment_size});
        REQUIRE(report.end == EndReason::damaged);
    }
}

TEST_CASE("a prefix filled up with zeros ends where its last record does", "[wal][damage]") {
    const WalBuilder sound = full_segment();
    for (std::size_t size = 41; size < 3 * 8192; size += 23) {
        WalBuilder builder = sound;
        const SegmentReport report = builder.zero_from(size).read();
        CAPTURE(size, report.reason);
        REQUIRE_FALSE(report.is_complete());
        // What is called valid is what was there; zeros that a record ends with do not count.
        const std::size_t valid = sound.offset_of(report.valid_end);
        REQUIRE(equal(ByteView(builder.segment(0)).first(valid),
                      ByteView(sound.segment(0)).first(valid)));
    }
}
