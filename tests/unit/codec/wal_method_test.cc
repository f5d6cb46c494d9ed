// The method `wal` as everybody else calls it: through codec/codec.h.
#include "base/error.h"
#include "codec/codec.h"
#include "codec_samples.h"
#include "support/errors.h"
#include "support/wal_builder.h"

#include <catch2/catch.hpp>

#include <mutex>
#include <thread>
#include <vector>

using namespace walden;
using namespace walden::codec;

namespace {

Bytes segment() {
    test::WalBuilder builder;
    builder.fill(200, 4096).switch_segment();
    return to_bytes(builder.segment(0));
}

/// Larger than what a content that nobody keeps passes through.
Bytes large_segment() {
    test::WalBuilder builder({.segment_size = *wal::SegmentSize::from_bytes(4 << 20)});
    builder.fill(900, 4096).switch_segment();
    return to_bytes(builder.segment(0));
}

EncodeOptions as_wal(CodecId back_end = CodecId::zstd, std::size_t worker_count = 1) {
    return {
        .method = CodecId::wal, .level = 1, .worker_count = worker_count, .wal_back_end = back_end};
}

Bytes decoded(const Encoded& encoded, std::size_t plain_size, std::size_t worker_count = 1) {
    Bytes out;
    decode(encoded.codec, encoded.bytes, plain_size, worker_count, out);
    return out;
}

}  // namespace

TEST_CASE("a segment is encoded as WAL by either back end and comes back", "[codec][wal_codec]") {
    const auto back_end = GENERATE(CodecId::zstd, CodecId::lz4);
    const Bytes plain = segment();
    const Encoded encoded = encode(plain, as_wal(back_end));
    CHECK(encoded.codec == CodecId::wal);
    CHECK(encoded.plain_reason == PlainReason::none);
    CHECK(encoded.bytes.size() < encode(plain, {.method = back_end}).bytes.size());
    CHECK(decoded(encoded, plain.size()) == plain);
    CHECK(decoded(encoded, plain.size(), 3) == plain);
    CHECK(encode(plain, as_wal(back_end, 3)).bytes == encoded.bytes);
}

TEST_CASE("a decoder hands over the parts of a segment at the promised offsets",
          "[codec][wal_codec]") {
    const Bytes plain = segment();
    const Encoded encoded = encode(plain, as_wal());
    Bytes out(plain.size());
    Bytes seen = zero_bytes(plain.size());
    std::size_t seen_size = 0;
    std::mutex mutex;
    decode_into(encoded.codec, encoded.bytes, 2, out, [&](std::size_t offset, ByteView part) {
        const std::lock_guard lock(mutex);
        CHECK(offset % decode_step_size == 0);
        CHECK(((offset + part.size()) % decode_step_size == 0 ||
               offset + part.size() == plain.size()));
        REQUIRE(offset + part.size() <= seen.size());
        std::copy(part.begin(), part.end(), seen.begin() + static_cast<std::ptrdiff_t>(offset));
        seen_size += part.size();
    });
    CHECK(seen_size == plain.size());
    CHECK(seen == plain);
}

TEST_CASE("a segment that nobody keeps is shown whole, whoever is the slower",
          "[codec][wal_codec]") {
    const std::size_t worker_count = GENERATE(1U, 2U);
    const bool is_slow = GENERATE(false, true);
    const Bytes plain = large_segment();
    const Encoded encoded = encode(plain, as_wal());
    std::size_t seen = 0;
    show(encoded.codec, encoded.bytes, plain.size(), worker_count,
         [&](std::size_t offset, ByteView part) {
             CHECK(offset == seen);
             // Whoever is still looking must not have its part replaced.
             for (int i = 0; is_slow && i < 1000; ++i) std::this_thread::yield();
             CHECK(equal(part, ByteView(plain).subspan(offset, part.size())));
             seen += part.size();
         });
    CHECK(seen == plain.size());
}

TEST_CASE("whoever looks at a segment may refuse it", "[codec][wal_codec]") {
    const std::size_t worker_count = GENERATE(1U, 2U);
    const Bytes plain = large_segment();
    const Encoded encoded = encode(plain, as_wal());
    for (const std::size_t refused : {std::size_t{0}, 3 * decode_step_size})
        CHECK(test::kind_of([&] {
                  show(encoded.codec, encoded.bytes, plain.size(), worker_count,
                       [&](std::size_t offset, ByteView) {
                           if (offset == refused) throw Error(ErrorKind::io, "no room");
                       });
              }) == ErrorKind::io);
}

TEST_CASE("what is no WAL goes to the back end's plain method, and the result says so",
          "[codec][wal_codec]") {
    for (const Bytes& plain : {Bytes(), prose(300, 1), prose(100'000, 2), zero_bytes(1 << 20)}) {
        const Encoded encoded = encode(plain, as_wal());
        CHECK(encoded.plain_reason == PlainReason::not_wal);
        CHECK(encoded.codec == encode(plain, {.method = CodecId::zstd}).codec);
        CHECK(decoded(encoded, plain.size()) == plain);
    }
    CHECK(encode(prose(100'000, 2), as_wal(CodecId::lz4)).codec == CodecId::lz4);
}

TEST_CASE("WAL is taken apart up to a record with a wrong CRC, if that comes late",
          "[codec][wal_codec]") {
    test::WalBuilder builder;
    builder.fill(4000, 200);
    const auto damaged_at = [&](std::size_t part) {
        test::WalBuilder damaged = builder;
        const auto& records = damaged.records();
        damaged.flip_byte(damaged.offset_of(records[records.size() * part / 10]) + 20);
        return to_bytes(ByteView(damaged.stream()).first(damaged.stream().size() / 8192 * 8192));
    };
    const Bytes late = damaged_at(9);
    const Encoded encoded = encode(late, as_wal());
    CHECK(encoded.codec == CodecId::wal);
    CHECK(decoded(encoded, late.size()) == late);
    CHECK(encode(damaged_at(2), as_wal()).plain_reason == PlainReason::record_crc);
}

TEST_CASE("WAL that is not as the codec knows it is stored plainly, with the reason",
          "[codec][wal_codec]") {
    Bytes plain = segment();
    SECTION("a version that is not known") {
        plain[1] = std::byte{0xD1};
        plain[0] = std::byte{0xFE};
        CHECK(encode(plain, as_wal()).plain_reason == PlainReason::version);
    }
    SECTION("half a page too much") {
        plain.resize(plain.size() - 4096);
        CHECK(encode(plain, as_wal()).plain_reason == PlainReason::size);
    }
    SECTION("a record whose checksum is wrong, near the beginning") {
        plain[200] ^= std::byte{1};
        CHECK(encode(plain, as_wal()).plain_reason != PlainReason::none);
    }
    const Encoded encoded = encode(plain, as_wal());
    CHECK(encoded.codec == CodecId::zstd);
    CHECK(decoded(encoded, plain.size()) == plain);
}

TEST_CASE("every flipped bit of an encoded segment is an error", "[codec][wal_codec]") {
    const Bytes plain = segment();
    const Encoded encoded = encode(plain, as_wal());
    Bytes out;
    for (std::size_t i = 0; i < encoded.bytes.size(); i += 997) {
        Bytes damaged = encoded.bytes;
        damaged[i] ^= std::byte{0x10};
        CHECK_THROWS_AS(decode(CodecId::wal, damaged, plain.size(), 1, out), Error);
    }
    CHECK_THROWS_AS(decode(CodecId::wal, encoded.bytes, plain.size() - 8192, 1, out), Error);
    CHECK_THROWS_AS(decode(CodecId::wal, {}, plain.size(), 1, out), Error);
}
