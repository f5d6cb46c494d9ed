#include "wal/stored_facts.h"

#include "support/errors.h"
#include "support/wal_builder.h"

#include <catch2/catch.hpp>

#include <limits>

using namespace walden;
using namespace walden::test;
using namespace walden::wal;

namespace {

StoredFacts full_facts() {
    StoredFacts stored;
    stored.end = EndReason::recycled_tail;
    stored.major_version = 18;
    stored.first_record = {0x500028};
    stored.valid_end = {0x5FFFFF};
    stored.stopped_at = {0x5FFFFE};
    stored.reason = "because";
    stored.facts.record_count = ~std::uint64_t{0};
    stored.facts.record_bytes = 2;
    stored.facts.commit_count = 3;
    stored.facts.abort_count = 4;
    stored.facts.end_times = TimeRange{-5, std::numeric_limits<std::int64_t>::max()};
    stored.facts.xids = XidRange{0xFFFFFFF0, 7};
    stored.facts.last_checkpoint = CheckpointFact{{0x500100}, {0x500028}};
    stored.facts.timeline_changes = {{{0x500200}, 1, 2}, {{0x500300}, 2, 0xFFFFFFFF}};
    return stored;
}

}  // namespace

TEST_CASE("stored facts come back", "[wal][facts]") {
    CHECK(decode_facts(encode_facts(full_facts())) == full_facts());
    CHECK(decode_facts(encode_facts(StoredFacts{})) == StoredFacts{});
    const SegmentReport report =
        WalBuilder().commit(1000, 12345).checkpoint({0x500028}).switch_segment().read();
    const StoredFacts stored = to_stored_facts(report);
    CHECK(stored.end == EndReason::switched);
    CHECK(stored.major_version == 15);
    CHECK(stored.facts == report.facts);
    CHECK_FALSE(stored.is_damaged());
    CHECK(decode_facts(encode_facts(stored)) == stored);
}

TEST_CASE("only a full or switched segment is not damaged", "[wal][facts]") {
    StoredFacts stored;
    for (const EndReason end : {EndReason::full, EndReason::switched, EndReason::zero_tail,
                                EndReason::recycled_tail, EndReason::damaged}) {
        stored.end = end;
        CHECK(stored.is_damaged() == (end != EndReason::full && end != EndReason::switched));
        CHECK(decode_facts(encode_facts(stored))->end == end);
    }
}

TEST_CASE("every truncation of facts is refused, what later versions append is skipped",
          "[wal][facts]") {
    const Bytes bytes = encode_facts(full_facts());
    for (std::size_t size = 0; size < bytes.size(); ++size)
        if (decode_facts(ByteView(bytes).first(size))) FAIL_CHECK("cut to " << size);
    Bytes later = bytes;
    store_le(later.data(), std::uint16_t{2});
    append(later, as_bytes("more"));
    CHECK(decode_facts(later) == full_facts());
    store_le(later.data(), std::uint16_t{0});
    CHECK_FALSE(decode_facts(later).has_value());
}

TEST_CASE("an end that is none, and a count that does not fit, are refused", "[wal][facts]") {
    Bytes bytes = encode_facts(full_facts());
    for (unsigned end = 0; end < 256; ++end) {
        bytes[2] = static_cast<std::byte>(end);
        CHECK(decode_facts(bytes).has_value() == (end <= 4));
    }
    bytes = encode_facts(StoredFacts{});
    // The count of timeline changes stands before the reason, which is empty here.
    store_le(&bytes[bytes.size() - 6], std::uint32_t{0xFFFFFFFF});
    CHECK_FALSE(decode_facts(bytes).has_value());
}

TEST_CASE("a long reason is cut before it is stored", "[wal][facts]") {
    SegmentReport report;
    report.reason = std::string(100'000, 'x');
    CHECK(to_stored_facts(report).reason.size() == 1000);
}

TEST_CASE("times are written as PostgreSQL writes them in UTC", "[wal][facts]") {
    constexpr std::int64_t day = 86'400'000'000;
    CHECK(to_utc_text(0) == "2000-01-01 00:00:00.000000+00");
    CHECK(to_utc_text(-1) == "1999-12-31 23:59:59.999999+00");
    CHECK(to_utc_text(59 * day) == "2000-02-29 00:00:00.000000+00");
    CHECK(to_utc_text(60 * day) == "2000-03-01 00:00:00.000000+00");
    CHECK(to_utc_text(366 * day) == "2001-01-01 00:00:00.000000+00");
    CHECK(to_utc_text(36'525 * day) == "2100-01-01 00:00:00.000000+00");
    CHECK(to_utc_text((36'525 + 59) * day) == "2100-03-01 00:00:00.000000+00");
    CHECK(to_utc_text(-10'957 * day) == "1970-01-01 00:00:00.000000+00");
    // 2026-11-22 14:32:07.123456: day 9822 since 2000-01-01.
    CHECK(to_utc_text(9822 * day + ((14 * 60 + 32) * 60 + 7) * std::int64_t{1'000'000} + 123'456) ==
          "2026-11-22 14:32:07.123456+00");
    CHECK(to_utc_text(-730'119 * day) == "0001-01-01 00:00:00.000000+00");
    // Extremes have some text, and no overflow.
    CHECK(to_utc_text(std::numeric_limits<std::int64_t>::max()).ends_with("+00"));
    CHECK(to_utc_text(std::numeric_limits<std::int64_t>::min()).ends_with("+00"));
}
