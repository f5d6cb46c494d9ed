// Segments of every shape go through the splitter and come back from the joiner.
#include "codec/wal/segment_split.h"

#include "base/error.h"
#include "support/split_copy.h"
#include "support/wal_builder.h"
#include "support/wal_records.h"

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <utility>

using namespace walden;
using namespace walden::codec;
using namespace walden::codec::wal_codec;
using test::SplitCopy;
using test::WalBuilder;

namespace {

struct RoundTrip {
    PlainReason reason = PlainReason::none;
    bool is_same = false;
    std::size_t tail_size = 0;
    std::size_t stream_bytes = 0;
};

/// What the splitter says about `content`, and whether it comes back.
RoundTrip round_trip(ByteView content) {
    // Used for all contents, so that each meets what others left behind.
    static SegmentSplitter splitter;
    static SegmentJoiner joiner;
    // A heap block of exactly this size, so that a sanitizer sees the first byte read past it.
    const auto exact = std::make_unique<std::byte[]>(content.size());
    std::copy(content.begin(), content.end(), exact.get());
    RoundTrip result;
    result.reason = splitter.split({exact.get(), content.size()});
    if (result.reason != PlainReason::none) return result;
    const SplitCopy copy = SplitCopy::of(splitter, content.size());
    for (const Bytes& stream : copy.streams) result.stream_bytes += stream.size();
    constexpr std::size_t tail_slot = 17;
    result.tail_size = copy.streams.at(tail_slot).size();
    const auto joined = copy.join(joiner);
    result.is_same = equal(joined, content);
    return result;
}

void check_comes_back(ByteView content) {
    const RoundTrip result = round_trip(content);
    INFO(to_string(result.reason));
    CHECK(result.reason == PlainReason::none);
    CHECK(result.is_same);
}

WalBuilder& add(WalBuilder& builder, std::size_t count, std::uint32_t seed) {
    for (const auto& record : test::make_sample_records(count, seed, builder.options().magic))
        builder.record_of(record.body, record.kind);
    return builder;
}

/// A stream of sample records that goes on behind the first `size` bytes.
WalBuilder sample_stream(std::size_t size, test::WalOptions options = {}) {
    WalBuilder builder(options);
    for (std::uint32_t seed = 1; builder.end_offset() <= size; ++seed) add(builder, 500, seed);
    return builder;
}

}  // namespace

TEST_CASE("segments in a row, of records across their ends, come back") {
    const WalBuilder builder = sample_stream(std::size_t{3} << 20);
    for (std::size_t i = 0; i < 3; ++i) {
        const Bytes segment = builder.segment(i);
        check_comes_back(segment);
        // What is left out is framing: page headers and links alone are a sixteenth of it.
        CHECK(round_trip(segment).stream_bytes < segment.size() * 15 / 16);
    }
}

TEST_CASE("segments of every size come back") {
    for (const std::uint32_t megabytes : {1U, 2U, 4U, 16U}) {
        const auto size = wal::SegmentSize::from_bytes(megabytes << 20);
        const WalBuilder builder =
            sample_stream((megabytes << 20) + 1000U, {.segment_size = *size});
        check_comes_back(builder.segment(0));
    }
}

TEST_CASE("every version's WAL comes back") {
    for (const wal::WalVersion& version : wal::wal_versions()) {
        INFO("PostgreSQL " << int{version.major});
        check_comes_back(sample_stream(1 << 20, {.magic = version.magic}).segment(0));
    }
}

TEST_CASE("a piece of a segment comes back, short header and half a record first") {
    const WalBuilder builder = sample_stream(1 << 20);
    const Bytes segment = builder.segment(0);
    for (const std::size_t begin :
         {std::size_t{8192}, std::size_t{40} * 8192, std::size_t{77} * 8192}) {
        check_comes_back(ByteView(segment).subspan(begin));
        check_comes_back(ByteView(segment).subspan(begin, 17 * 8192));
    }
}

TEST_CASE("a record over several pages, first, in the middle or last, comes back") {
    WalBuilder builder;
    builder.record(300'000)
        .record(100)
        .record(50'000)
        .fill(500, 120'000)
        .record(400'000)
        .record(700'000)
        .record(40);
    for (std::size_t i = 0; i < 2; ++i) check_comes_back(builder.segment(i));
}

TEST_CASE("a content that is the inside of one record is left to the plain method") {
    WalBuilder builder;
    builder.record(100).record(3'000'000).record(100);
    CHECK(round_trip(builder.segment(1)).reason == PlainReason::saves_nothing);
    check_comes_back(builder.segment(0));
}

TEST_CASE("records whose headers are cut by a page's end come back") {
    for (const std::uint32_t left : {8U, 16U, 24U, 32U}) {
        WalBuilder builder;
        builder.record(8192 - 40 - left);
        add(builder, 400, left);
        builder.fill(300, 1000).fill_exactly().record(50);
        check_comes_back(builder.segment(0));
    }
}

TEST_CASE("a segment that a record ends exactly with comes back") {
    WalBuilder builder;
    add(builder, 200, 3).fill(400, 5000).fill_exactly().record(50);
    check_comes_back(builder.segment(0));
    check_comes_back(builder.segment(1));
}

TEST_CASE("zeros behind a switch cost nothing") {
    WalBuilder builder;
    add(builder, 100, 4).switch_segment().record(50);
    const RoundTrip result = round_trip(builder.segment(0));
    CHECK(result.is_same);
    CHECK(result.tail_size == 0);
}

TEST_CASE("a tail that is not WAL of this segment is kept as it is") {
    WalBuilder older({.first = {1, 3}});
    while (older.end_offset() < 1 << 20) add(older, 300, 5);
    WalBuilder builder = sample_stream(1 << 20);
    builder.recycle_from(std::size_t{100} * 8192, older);
    const RoundTrip result = round_trip(builder.segment(0));
    CHECK(result.is_same);
    CHECK(result.tail_size > 0);
    CHECK(result.tail_size <= (std::size_t{30} * 8192));
}

TEST_CASE("a content that is mostly no WAL is left to the plain method, for a reason") {
    const WalBuilder sound = sample_stream(1 << 20);
    const auto reason_of = [&](const auto& spoil) {
        WalBuilder builder = sound;
        spoil(builder);
        return round_trip(builder.segment(0)).reason;
    };
    const std::size_t early = sound.offset_of(sound.records()[40]);
    CHECK(reason_of([&](auto& b) { b.flip_byte(0); }) == PlainReason::version);
    CHECK(reason_of([&](auto& b) { b.flip_byte(37); }) == PlainReason::other_page_size);
    CHECK(reason_of([&](auto& b) { b.flip_byte(20); }) == PlainReason::page_header);
    CHECK(reason_of([&](auto& b) { b.flip_byte(8192 + 9); }) == PlainReason::page_header);
    CHECK(reason_of([&](auto& b) { b.flip_byte(early + 8); }) == PlainReason::back_link);
    CHECK(reason_of([&](auto& b) { b.flip_byte(early + 18); }) == PlainReason::record_header);
    CHECK(reason_of([&](auto& b) { b.flip_byte(early + 20); }) == PlainReason::record_crc);
    CHECK(reason_of([&](auto& b) { b.flip_byte(early + 26); }) == PlainReason::record_crc);
    CHECK(round_trip(ByteView(sound.stream()).first(1000 * 8)).reason == PlainReason::size);
    CHECK(round_trip(ByteView(sound.stream()).first(100'000)).reason == PlainReason::size);
}

TEST_CASE("padding that is not zero ends what is taken apart") {
    WalBuilder builder = sample_stream(1 << 20);
    for (const wal::Lsn lsn : builder.records()) {
        const std::size_t at = builder.offset_of(lsn);
        const auto length = load_le<std::uint32_t>(builder.stream().data() + at);
        if (length % 8 == 0 || at % 8192 + length > 8100) continue;
        builder.flip_byte(at + length);
        break;
    }
    CHECK(round_trip(builder.segment(0)).reason == PlainReason::padding);
}

TEST_CASE("an overwritten continuation record early in a segment is left to the plain method") {
    WalBuilder builder;
    add(builder, 20, 6).torn_record(30'000);
    while (builder.end_offset() < 1 << 20) add(builder, 300, 7);
    CHECK(round_trip(builder.segment(0)).reason == PlainReason::page_header);
}

TEST_CASE("a timeline that changes inside a segment comes back") {
    WalBuilder builder;
    add(builder, 600, 8).change_timeline(2);
    while (builder.end_offset() < 1 << 20) add(builder, 300, 9);
    const RoundTrip result = round_trip(builder.segment(0));
    CHECK(result.is_same);
    CHECK(result.tail_size == 0);
}

TEST_CASE("pages that were written during a base backup come back") {
    WalBuilder builder = sample_stream(1 << 20);
    for (std::size_t page = 30; page < 60; ++page)
        builder.flip_byte(page * 8192 + 2, wal::backup_block_removable);
    const RoundTrip result = round_trip(builder.segment(0));
    CHECK(result.is_same);
    CHECK(result.tail_size == 0);
}

TEST_CASE("more kinds of records than are expected are left to the plain method") {
    WalBuilder builder({.segment_size = *wal::SegmentSize::from_bytes(16 << 20)});
    for (std::uint32_t file = 0; builder.end_offset() <= 16 << 20; ++file)
        builder.record_of(test::RecordBody().block(0, {1, 2, file}, 7).bytes(), {10, 0x10, 5});
    CHECK(round_trip(builder.segment(0)).reason == PlainReason::too_many_templates);
}

TEST_CASE("some thousand kinds of records come back") {
    WalBuilder builder;
    for (std::uint32_t file = 0; builder.end_offset() <= 1 << 20; ++file)
        builder.record_of(test::RecordBody().block(0, {1, 2, file % 5000}, file).bytes(),
                          {10, 0x10, 5});
    check_comes_back(builder.segment(0));
}

TEST_CASE("a record with as many blocks as there can be comes back") {
    WalBuilder builder;
    for (std::uint32_t i = 0; builder.end_offset() <= 1 << 20; ++i) {
        test::RecordBody body;
        for (std::uint8_t id = 0; id <= 32; ++id) {
            body.block(id, {1663, 5, 100U + id}, i * 33 + id);
            body.data(Bytes(60 + id % 3, std::byte{id}));
        }
        builder.record_of(body.main(Bytes(600, std::byte{7})).bytes(), {12, 0, 9});
    }
    check_comes_back(builder.segment(0));
}

TEST_CASE("pieces of nearly the same length come back, however short") {
    // Main data that is shorter than what is predicted in it, block data of a byte or some.
    WalBuilder builder;
    for (std::uint32_t i = 0; builder.end_offset() <= 1 << 20; ++i) {
        const std::uint32_t xid = 500 + i / 9;
        Bytes main(i % 7, std::byte{0});
        for (std::size_t at = 0; at < main.size(); ++at)
            main[at] = static_cast<std::byte>(xid >> at % 4 * 8 & 0xFF);
        const Bytes data(1 + i % 5, static_cast<std::byte>(i));
        const test::RelationFile relation{1663, 5, 16'384};
        builder.record_of(test::RecordBody().block(0, relation, i).data(data).main(main).bytes(),
                          {static_cast<std::uint8_t>(9 + i % 3),
                           static_cast<std::uint8_t>(i % 3 == 0 ? 0x50 : 0x20), xid});
        builder.record_of(test::RecordBody().block(0, relation, i).data(data).main(main).bytes(),
                          {static_cast<std::uint8_t>(10 + i % 2), 0, xid});
    }
    check_comes_back(builder.segment(0));
}

TEST_CASE("transactions that wrap around come back") {
    WalBuilder builder;
    for (std::uint32_t i = 0; builder.end_offset() <= 1 << 20; ++i)
        builder.record(60, {10, 0, i % 7 == 0 ? 0 : 0xFFFFFF00U + i * 3});
    check_comes_back(builder.segment(0));
}

TEST_CASE("the parts of a joined content are shown in order, once") {
    const Bytes segment = sample_stream(1 << 20).segment(0);
    SegmentSplitter splitter;
    SegmentJoiner joiner;
    REQUIRE(splitter.split(segment) == PlainReason::none);
    const SplitCopy copy = SplitCopy::of(splitter, segment.size());
    // As a whole, and through memory for one part.
    const std::size_t out_size = GENERATE(std::size_t{1} << 20, codec::decode_step_size);
    const auto slots = joiner.begin(copy.directory, segment.size());
    for (std::size_t i = 0; i < slots.size(); ++i)
        if (!copy.streams[i].empty())
            std::memcpy(slots[i].stream->resize(copy.streams[i].size()), copy.streams[i].data(),
                        copy.streams[i].size());
    Bytes out(out_size);
    std::size_t seen = 0;
    bool is_in_order = true;
    joiner.join(out, [&](std::size_t offset, ByteView part) {
        is_in_order = is_in_order && offset == seen && part.size() <= codec::decode_step_size &&
                      equal(part, ByteView(segment).subspan(offset, part.size()));
        seen += part.size();
    });
    CHECK(is_in_order);
    CHECK(seen == segment.size());
}

TEST_CASE("a damaged directory is refused, or joins to something of the right size") {
    const Bytes segment = to_bytes(ByteView(sample_stream(1 << 20).segment(0)).first(128 << 10));
    SegmentSplitter splitter;
    SegmentJoiner joiner;
    REQUIRE(splitter.split(segment) == PlainReason::none);
    const SplitCopy copy = SplitCopy::of(splitter, segment.size());
    std::size_t refused = 0;
    for (std::size_t at = 0; at < copy.directory.size(); ++at) {
        SplitCopy damaged = copy;
        damaged.directory[at] ^= std::byte{0x41};
        try {
            (void)damaged.join(joiner);
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::corrupt);
            ++refused;
        }
    }
    CHECK(refused > copy.directory.size() / 2);
    for (std::size_t size = 0; size < copy.directory.size(); size += 7) {
        SplitCopy damaged = copy;
        damaged.directory.resize(size);
        CHECK_THROWS_AS(damaged.join(joiner), Error);
    }
    CHECK(equal(copy.join(joiner), segment));
}

TEST_CASE("streams that end too early are refused") {
    const Bytes segment = to_bytes(ByteView(sample_stream(1 << 20).segment(0)).first(128 << 10));
    SegmentSplitter splitter;
    SegmentJoiner joiner;
    REQUIRE(splitter.split(segment) == PlainReason::none);
    const SplitCopy copy = SplitCopy::of(splitter, segment.size());
    for (std::size_t i = 0; i < copy.streams.size(); ++i) {
        if (copy.streams[i].empty()) continue;
        SplitCopy damaged = copy;
        damaged.streams[i].resize(damaged.streams[i].size() / 2);
        CHECK_THROWS_AS(damaged.join(joiner), Error);
    }
}
