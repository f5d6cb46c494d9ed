// What a sound segment's report says. Damage: segment_damage_test.cc; across segments:
// segment_carry_test.cc.
#include "wal/record_reader.h"

#include "base/hash.h"
#include "support/wal_builder.h"

#include <catch2/catch.hpp>

#include <cstring>

using namespace walden;
using namespace walden::wal;
using test::WalBuilder;

TEST_CASE("a segment filled to its last byte is full", "[wal][reader]") {
    WalBuilder builder;
    builder.fill_exactly();
    REQUIRE(builder.end_offset() == 1 << 20);
    const SegmentReport report = builder.read();
    INFO(report.reason);
    CHECK(report.end == EndReason::full);
    CHECK(report.is_complete());
    CHECK(report.first_record == builder.records().front());
    CHECK(report.valid_end == Lsn{6 << 20});
    CHECK(report.facts.record_count == builder.records().size());
    REQUIRE(report.carry_out);
    CHECK(report.carry_out->last_record == builder.last_record());
    CHECK_FALSE(report.carry_out->partial);
}

TEST_CASE("a switch record and zeros behind it complete a segment", "[wal][reader]") {
    WalBuilder builder;
    builder.record(100);
    const Lsn switched_at = builder.end();
    builder.switch_segment();
    const SegmentReport report = builder.read();
    CHECK(report.end == EndReason::switched);
    CHECK(report.valid_end == switched_at + 24);
    CHECK(report.facts.record_count == 2);
    CHECK(report.carry_out->last_record == switched_at);
}

TEST_CASE("records of every length are read, also across pages", "[wal][reader]") {
    WalBuilder builder;
    std::vector<std::uint32_t> lengths;
    for (std::uint32_t length = 24; length < 400; ++length) lengths.push_back(length);
    for (const std::uint32_t length : {8000u, 8192u, 8200u, 20'000u, 70'000u})
        lengths.push_back(length);
    for (const std::uint32_t length : lengths) builder.record(length);
    builder.switch_segment();

    std::vector<std::uint32_t> seen;
    std::vector<Lsn> lsns;
    const Bytes segment = builder.segment(0);
    const auto report = read_segment(
        {.bytes = segment, .name = builder.name(0), .segment_size = builder.options().segment_size},
        [&](const RecordView& record) {
            std::uint32_t total = record.missing;
            std::uint32_t crc = crc32c_start;
            std::size_t position = 0;
            for (const ByteView piece : record.pieces) {
                total += static_cast<std::uint32_t>(piece.size());
                for (const std::byte b : piece)
                    if (position++ >= record_header_size) crc = crc32c_update(crc, {&b, 1});
            }
            crc = crc32c_update(crc, record.head.first(record_crc_offset));
            CHECK(crc32c_finish(crc) == record.header.crc);
            CHECK(total == record.header.total_length);
            CHECK(record.head.size() == std::min<std::size_t>(total, record_head_size));
            seen.push_back(total);
            lsns.push_back(record.lsn);
        });
    CHECK(report.end == EndReason::switched);
    seen.pop_back();  // the switch record
    CHECK(seen == lengths);
    CHECK(lsns == builder.records());
}

TEST_CASE("pages of other sizes are read", "[wal][reader]") {
    const std::uint32_t page_size = GENERATE(1024u, 4096u, 16'384u, 65'536u);
    const WalBuilder builder =
        WalBuilder({.page_size = page_size}).record(3000).record(70'000).switch_segment();
    CHECK(builder.read().end == EndReason::switched);
    CHECK(builder.read().facts.record_count == 3);
}

TEST_CASE("a report knows the commits, aborts, times and xids", "[wal][reader][facts]") {
    const WalBuilder builder = WalBuilder()
                                   .commit(4'294'967'290, 5000)
                                   .record(60, {.xid = 4'294'967'293})
                                   .commit(7, 3000)
                                   .abort(8, 9000)
                                   .record(60, {.xid = 0})
                                   .switch_segment();
    const SegmentFacts facts = builder.read().facts;
    CHECK(facts.commit_count == 2);
    CHECK(facts.abort_count == 1);
    CHECK(facts.end_times == TimeRange{3000, 9000});
    // The xids wrap around between 4294967293 and 7.
    CHECK(facts.xids == XidRange{4'294'967'290, 8});
    CHECK(facts.record_count == 6);
    CHECK(facts.record_bytes == 3 * 34 + 2 * 60 + 24);
}

TEST_CASE("the time of a commit is found behind origin and top-level xid", "[wal][reader][facts]") {
    Bytes body;
    ByteWriter writer(body);
    writer.write(std::uint8_t{253});
    writer.write(std::uint16_t{7});
    writer.write(std::uint8_t{252});
    writer.write(std::uint32_t{99});
    writer.write(std::uint8_t{254});
    writer.write(std::uint32_t{8});
    writer.write(std::uint64_t{1234});
    Bytes head = Bytes(record_header_size, std::byte{0});
    append(head, body);
    CHECK(load_le<std::uint64_t>(main_data_of(head).data()) == 1234);
    for (std::size_t size = 0; size < head.size(); ++size)
        CHECK(main_data_of(ByteView(head).first(size)).size() < 8);
}

TEST_CASE("a report knows the last checkpoint and each timeline change", "[wal][reader][facts]") {
    WalBuilder builder({.first = {2, 5}});
    builder.checkpoint({0x123}).record(80).checkpoint({0x456});
    const Lsn change = builder.end();
    builder.change_timeline(4).fill(100, 100'000).switch_segment();
    const SegmentReport report = builder.read();
    CHECK(report.end == EndReason::switched);
    CHECK(report.facts.last_checkpoint == CheckpointFact{change, change});
    CHECK(report.facts.timeline_changes == std::vector{TimelineChange{change, 2, 4}});
    CHECK(report.header->page.timeline == 2);
    CHECK(report.carry_out->timeline == 4);
}

TEST_CASE("zeros behind the last record are an end", "[wal][reader]") {
    WalBuilder builder;
    builder.fill(300, 500'000);
    const SegmentReport report = builder.read();
    CHECK(report.end == EndReason::zero_tail);
    CHECK_FALSE(report.is_complete());
    CHECK(report.valid_end == builder.end());
    CHECK(report.stopped_at == builder.end());
    CHECK_FALSE(report.carry_out);
}

TEST_CASE("a record that ends with its page may be the last", "[wal][reader]") {
    WalBuilder builder;
    builder.record(100).record(8192 - 40 - 104);
    REQUIRE(builder.end_offset() == 8192);
    CHECK(builder.read().end == EndReason::zero_tail);
    CHECK(builder.read().valid_end == Lsn{(5 << 20) + 8192});
}

TEST_CASE("a reader stops quietly at a record that a crash cut off", "[wal][reader]") {
    WalBuilder builder;
    builder.record(100);
    const Lsn cut = builder.end();
    builder.record(20'000).zero_from(8192 * GENERATE(1u, 2u));
    const SegmentReport report = builder.read();
    CHECK(report.end == EndReason::zero_tail);
    CHECK(report.valid_end == cut);
    CHECK(report.stopped_at == cut);
    CHECK_THAT(report.reason, Catch::Contains("does not continue"));
}

TEST_CASE("old pages of a recycled file are an end", "[wal][reader]") {
    WalBuilder old({.first = {1, 2}, .seed = 7});
    old.fill(300, 0);
    WalBuilder builder;
    builder.fill(300, 500'000);
    const std::size_t page_end = (builder.end_offset() / 8192 + 1) * 8192;

    SECTION("from a page boundary") {
        builder.recycle_from(page_end, old);
    }

    SECTION("from the middle of a page, as a standby writes it") {
        builder.recycle_from(builder.end_offset(), old);
    }

    SECTION("behind a cut record") {
        const WalBuilder before = builder;
        builder.record(20'000).recycle_from(page_end, old);
        CHECK(builder.read().valid_end == before.end());
        CHECK(builder.read().end == EndReason::recycled_tail);
        return;
    }
    const SegmentReport report = builder.read();
    INFO(report.reason);
    CHECK(report.end == EndReason::recycled_tail);
    CHECK(report.valid_end == builder.end());
}

TEST_CASE("a file recycled after a promotion may carry the very address on an older timeline",
          "[wal][reader]") {
    WalBuilder old({.first = {1, 5}, .seed = 7});
    old.fill(300, 0);
    WalBuilder builder({.first = {2, 5}});
    builder.fill(300, 500'000);
    builder.recycle_from((builder.end_offset() / 8192 + 1) * 8192, old);
    CHECK(builder.read().end == EndReason::recycled_tail);
    CHECK(builder.read().valid_end == builder.end());
}

TEST_CASE("WAL goes on behind a record that a crash cut and that was overwritten",
          "[wal][reader]") {
    WalBuilder builder;
    builder.record(100);
    const Lsn torn = builder.end();
    builder.torn_record(20'000).record(200).switch_segment();
    const SegmentReport report = builder.read();
    INFO(report.reason);
    CHECK(report.end == EndReason::switched);
    CHECK(report.abandoned == std::vector{torn});
    CHECK(report.facts.record_count == 4);
}

TEST_CASE("a damaged page flag does not make a record overwritten", "[wal][reader]") {
    WalBuilder builder;
    builder.record(100).record(20'000).fill(100, 0);
    const unsigned bits = GENERATE(8u, 9u);  // overwritten as well, or instead
    CHECK(builder.flip_byte(8192 + 2, bits).read().end == EndReason::damaged);
}

TEST_CASE("an overwriting record that names another record is damage", "[wal][reader]") {
    WalBuilder builder;
    builder.record(100).torn_record(20'000).record(200).fill(100, 0);
    const std::size_t overwriting = 8192 + 24;
    builder.flip_byte(overwriting + 26, 8).seal_record(overwriting);
    const SegmentReport report = builder.read();
    CHECK(report.end == EndReason::damaged);
    CHECK_THAT(report.reason, Catch::Contains("overwrites"));
}

TEST_CASE("a visitor's exception leaves the walk", "[wal][reader]") {
    const WalBuilder builder = WalBuilder().record(100).record(100);
    const Bytes segment = builder.segment(0);
    CHECK_THROWS_AS(read_segment({.bytes = segment,
                                  .name = builder.name(0),
                                  .segment_size = builder.options().segment_size},
                                 [](const RecordView&) { throw std::runtime_error("enough"); }),
                    std::runtime_error);
}
