// Records that cross segments.
#include "support/wal_builder.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::wal;
using test::WalBuilder;

namespace {

/// Two segments with a record of 3000 bytes across the boundary, `before` bytes of it in the first.
WalBuilder straddling(std::uint32_t before = 1000) {
    WalBuilder builder;
    builder.fill(200, 4000);
    const std::size_t left = (1 << 20) - builder.end_offset();
    builder.record(static_cast<std::uint32_t>(left - before)).record(3000).record(100);
    builder.switch_segment();
    return builder;
}

SegmentCarry carry_of(const WalBuilder& builder) {
    const SegmentReport report = builder.read(0);
    INFO(report.reason);
    REQUIRE(report.end == EndReason::full);
    return report.carry_out.value();
}

}  // namespace

TEST_CASE("a record that goes on in the next segment is carried there", "[wal][carry]") {
    const std::uint32_t before = GENERATE(8u, 16u, 24u, 32u, 1000u, 2992u);
    const WalBuilder builder = straddling(before);
    const SegmentCarry carry = carry_of(builder);
    REQUIRE(carry.partial);
    CHECK(carry.partial->present == before);
    CHECK(carry.partial->missing == 3000 - before);
    CHECK(carry.partial->start == Lsn{(6 << 20) - before});

    const SegmentReport alone = builder.read(1);
    CHECK(alone.end == EndReason::switched);
    CHECK(alone.owed_by_previous == 3000 - before);
    CHECK(alone.facts.record_count == 2);

    const SegmentReport with = builder.read(1, &carry);
    INFO(with.reason);
    CHECK(with.end == EndReason::switched);
    CHECK(with.facts.record_count == 3);
    CHECK(with.first_record == alone.first_record);
}

TEST_CASE("any flip in a straddling record is found with the carry only", "[wal][carry]") {
    const WalBuilder builder = straddling();
    const SegmentCarry sound = carry_of(builder);
    const std::size_t in_second = (1 << 20) + 40 + GENERATE(0u, 500u, 1999u);
    WalBuilder second = builder;
    second.flip_byte(in_second);
    CHECK(second.read(1).end == EndReason::switched);
    CHECK_FALSE(second.read(1, &sound).is_complete());

    WalBuilder first = builder;
    first.flip_byte((1 << 20) - 1000 + GENERATE(17u, 21u, 24u, 999u));
    const SegmentCarry changed = carry_of(first);
    CHECK_FALSE(first.read(1, &changed).is_complete());
    CHECK_THAT(first.read(1, &changed).reason, Catch::Contains("CRC"));
}

TEST_CASE("lengths and links of two segments that do not belong together differ", "[wal][carry]") {
    const WalBuilder builder = straddling();
    const SegmentCarry shorter = carry_of(straddling(1008));
    CHECK_FALSE(builder.read(1, &shorter).is_complete());

    SegmentCarry none = carry_of(builder);
    none.partial.reset();
    CHECK_FALSE(builder.read(1, &none).is_complete());

    WalBuilder exact;
    exact.fill_exactly().record(100).switch_segment();
    SegmentCarry link = carry_of(exact);
    CHECK(exact.read(1, &link).end == EndReason::switched);
    link.last_record.value -= 8;
    CHECK_FALSE(exact.read(1, &link).is_complete());
    link = carry_of(exact);
    link.timeline = 2;
    CHECK_FALSE(exact.read(1, &link).is_complete());
}

TEST_CASE("a commit whose time lies in the segment before is counted with its time",
          "[wal][carry][facts]") {
    WalBuilder builder;
    builder.fill(200, 4000);
    const std::size_t left = (1 << 20) - builder.end_offset();
    builder.record(static_cast<std::uint32_t>(left - 32)).commit(77, 4321).switch_segment();
    const SegmentCarry carry = carry_of(builder);
    const SegmentFacts facts = builder.read(1, &carry).facts;
    CHECK(facts.commit_count == 1);
    CHECK(facts.end_times == TimeRange{4321, 4321});
    CHECK(builder.read(1).facts.commit_count == 0);
}

TEST_CASE("a record longer than a segment passes through whole segments", "[wal][carry]") {
    WalBuilder builder;
    builder.record(100).record(3 << 20).record(100).switch_segment();
    std::optional<SegmentCarry> known;
    std::optional<SegmentCarry> unknown;
    for (std::size_t i = 0; i < 4; ++i) {
        const SegmentReport with = builder.read(i, known ? &*known : nullptr);
        INFO(i << " " << with.reason);
        CHECK(with.end == (i < 3 ? EndReason::full : EndReason::switched));
        known = with.carry_out;
        if (i == 0) continue;  // the other walk begins in the middle of the record
        const SegmentReport without = builder.read(i, unknown ? &*unknown : nullptr);
        CHECK(without.end == with.end);
        CHECK(without.carry_out->partial.has_value() == (i < 3));
        unknown = without.carry_out;
    }
    CHECK(known->last_record == builder.last_record());
}

TEST_CASE("a switch record across the boundary fills the next segment", "[wal][carry]") {
    const std::uint32_t before = GENERATE(8u, 16u);
    WalBuilder builder;
    builder.fill(200, 4000);
    const std::size_t left = (1 << 20) - builder.end_offset();
    builder.record(static_cast<std::uint32_t>(left - before)).switch_segment();
    const SegmentCarry carry = carry_of(builder);
    CHECK(builder.read(1, &carry).end == EndReason::switched);
    CHECK(builder.read(1).end == EndReason::switched);
    CHECK(builder.read(1).valid_end == Lsn{(6 << 20) + 40 + 24 - before});
}

TEST_CASE("a record cut at a segment's end by a crash may be overwritten in the next",
          "[wal][carry]") {
    WalBuilder builder;
    builder.fill(200, 4000);
    const Lsn torn = builder.end();
    builder.torn_record(8000).record(100).switch_segment();
    const SegmentCarry carry = carry_of(builder);
    CHECK(carry.partial->start == torn);
    const SegmentReport with = builder.read(1, &carry);
    INFO(with.reason);
    CHECK(with.end == EndReason::switched);
    CHECK(with.abandoned == std::vector{torn});
    const SegmentReport alone = builder.read(1);
    CHECK(alone.end == EndReason::switched);
    CHECK(alone.abandoned == std::vector{torn});

    SegmentCarry other = carry;
    other.partial->start.value -= 8;
    CHECK(builder.read(1, &other).end != EndReason::switched);
}
