// The self-check of the encoder, tried on block codecs that do what broken libraries have done.
#include "base/error.h"
#include "codec/blocks.h"
#include "codec_samples.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <cstring>

using namespace walden;
using namespace walden::codec;

namespace {

/// "Compresses" by dropping the last byte, which decompress guesses: right for content that ends
/// with zero, as a codec with a bug is right nearly always.
BlockCodec guessing_codec() {
    return {[](ByteView plain, MutableByteView out) -> std::optional<std::size_t> {
                std::memcpy(out.data(), plain.data(), plain.size() - 1);
                return plain.size() - 1;
            },
            [](ByteView compressed, MutableByteView out) {
                std::memcpy(out.data(), compressed.data(), compressed.size());
                out.back() = std::byte{0};
                return true;
            }};
}

std::string failure_of(ByteView plain, const BlockCodec& codec, std::size_t worker_count) {
    try {
        static_cast<void>(encode_blocks(plain, codec, worker_count));
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::corrupt);
        return error.message();
    }
    return "";
}

}  // namespace

TEST_CASE("a codec that does not give back what it took is found out (fault 29)",
          "[codec][fault]") {
    const std::size_t worker_count = GENERATE(1u, 2u, 3u);
    Bytes plain = noise(3 * block_size, 1);
    for (std::size_t i = 1; i <= 3; ++i) plain[i * block_size - 1] = std::byte{0};
    CHECK(failure_of(plain, guessing_codec(), worker_count).empty());

    plain[2 * block_size - 1] = std::byte{1};
    CHECK_THAT(failure_of(plain, guessing_codec(), worker_count),
               Catch::Contains("does not decode") && Catch::Contains("offset 2097152"));
}

TEST_CASE("one flipped bit on the way through a real codec is found out (fault 29)",
          "[codec][fault]") {
    BlockCodec codec = GENERATE(zstd_block_codec(1), lz4_block_codec());
    const Bytes plain = prose(100'000, 4);

    SECTION("in the compressed bytes") {
        codec.compress = [honest = codec.compress](ByteView from, MutableByteView out) {
            const auto size = honest(from, out);
            out[*size / 2] ^= std::byte{4};
            return size;
        };
        CHECK_THAT(failure_of(plain, codec, 1), Catch::Contains("does not decode"));
    }
    SECTION("in the decoded bytes") {
        codec.decompress = [honest = codec.decompress](ByteView compressed, MutableByteView out) {
            const bool done = honest(compressed, out);
            out[77'777] ^= std::byte{1};
            return done;
        };
        CHECK_THAT(failure_of(plain, codec, 1), Catch::Contains("does not decode"));
    }
    SECTION("nowhere") {
        CHECK(failure_of(plain, codec, 1).empty());
    }
}

TEST_CASE(
    "a codec that refuses its own output or claims an impossible size is found out (fault 29)",
    "[codec][fault]") {
    BlockCodec codec = zstd_block_codec(1);
    const Bytes plain = prose(10'000, 4);

    SECTION("refuses") {
        codec.decompress = [](ByteView, MutableByteView) { return false; };
        CHECK_THAT(failure_of(plain, codec, 1), Catch::Contains("does not decode"));
    }
    SECTION("claims a size") {
        const std::size_t claimed = GENERATE(0u, 10'000u, 1u << 31);
        codec.compress = [claimed](ByteView, MutableByteView) { return std::optional(claimed); };
        CHECK_THAT(failure_of(plain, codec, 1), Catch::Contains("the compressor made"));
    }
}

TEST_CASE("each block is verified exactly once, and zeros need no codec", "[codec]") {
    std::atomic<int> compressed{0};
    std::atomic<int> verified{0};
    const BlockCodec honest = lz4_block_codec();
    const BlockCodec counting{[&](ByteView plain, MutableByteView out) {
                                  ++compressed;
                                  return honest.compress(plain, out);
                              },
                              [&](ByteView from, MutableByteView out) {
                                  ++verified;
                                  return honest.decompress(from, out);
                              }};
    Bytes plain = prose(2 * block_size, 1);
    append(plain, zero_bytes(2 * block_size));
    static_cast<void>(encode_blocks(plain, counting, 2));
    CHECK(compressed == 2);
    CHECK(verified == 2);
}
