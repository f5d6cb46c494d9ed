#include "codec/codec.h"

#include "base/error.h"
#include "codec/blocks.h"
#include "codec_samples.h"
#include "support/errors.h"

#include <catch2/catch.hpp>

#include <mutex>
#include <set>
#include <string_view>
#include <vector>

using namespace walden;
using namespace walden::codec;

namespace {

Bytes decoded(const Encoded& encoded, std::size_t plain_size, std::size_t worker_count = 1) {
    Bytes out;
    decode(encoded.codec, encoded.bytes, plain_size, worker_count, out);
    return out;
}

/// The kind of failure of decoding, nullopt if it decodes.
std::optional<ErrorKind> decode_failure(CodecId codec, ByteView encoded, std::size_t plain_size) {
    // The input has a heap block of exactly its own size, so that a sanitizer sees a read past it.
    const Bytes exact(encoded.begin(), encoded.end());
    try {
        Bytes out;
        decode(codec, exact, plain_size, 1, out);
        CHECK(out.size() == plain_size);
        return std::nullopt;
    } catch (const Error& error) {
        return error.kind();
    }
}

Bytes with_byte(ByteView bytes, std::size_t offset, unsigned value) {
    Bytes changed = to_bytes(bytes);
    changed[offset] = static_cast<std::byte>(value);
    return changed;
}

/// A layout-1 buffer of one block: its table entry and stored bytes are the caller's.
Bytes one_block(std::uint32_t entry, ByteView stored) {
    Bytes encoded;
    ByteWriter writer(encoded);
    writer.write<std::uint8_t>(1);
    writer.write<std::uint8_t>(20);
    writer.write<std::uint32_t>(1);
    writer.write(entry);
    writer.write_bytes(stored);
    return encoded;
}

constexpr std::uint32_t raw_kind = 1U << 30;
constexpr std::uint32_t compressed_kind = 2U << 30;

}  // namespace

TEST_CASE("decode inverts encode for every method, level, size and kind of content", "[codec]") {
    const auto options =
        GENERATE(EncodeOptions{CodecId::none, 0, 2}, EncodeOptions{CodecId::lz4, 0, 2},
                 EncodeOptions{CodecId::zstd, 1, 2}, EncodeOptions{CodecId::zstd, 3, 2},
                 EncodeOptions{CodecId::zstd, 19, 2});
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{15}, std::size_t{16},
          std::size_t{17}, std::size_t{8192}, block_size - 1, block_size, block_size + 1}) {
        if (options.level == 19 && size > 8192) continue;  // half a second for each block
        for (const Bytes& plain :
             {zero_bytes(size), noise(size, 1), prose(size, 2), wal_like(size, 3)}) {
            const Encoded encoded = encode(plain, options);
            CHECK(encoded.bytes.size() <= plain.size());
            CHECK(equal(decoded(encoded, size), plain));
            CHECK(equal(decoded(encoded, size, 3), plain));
        }
    }
}

TEST_CASE("the encoded bytes do not depend on the number of threads or on earlier calls",
          "[codec]") {
    const auto options =
        GENERATE(EncodeOptions{CodecId::lz4, 0, 1}, EncodeOptions{CodecId::zstd, 1, 1},
                 EncodeOptions{CodecId::zstd, 4, 1});
    const Bytes plain = wal_like(5 * block_size + 4711, 5);
    const Bytes first = encode(plain, options).bytes;
    CHECK(first.size() < plain.size());
    for (const std::size_t worker_count : {0u, 2u, 3u, 8u}) {
        EncodeOptions parallel = options;
        parallel.worker_count = worker_count;
        static_cast<void>(encode(prose(100'000, worker_count), {CodecId::zstd, 7, 2}));
        CHECK(encode(plain, parallel).bytes == first);
    }
}

TEST_CASE("a segment of zeros takes a few dozen bytes", "[codec]") {
    const auto method = GENERATE(CodecId::zstd, CodecId::lz4);
    const Bytes plain = zero_bytes(16 << 20);
    const Encoded encoded = encode(plain, {method, 1, 2});
    CHECK(encoded.codec == method);
    CHECK(encoded.bytes.size() == 6 + 4 * plain.size() / block_size);
    CHECK(equal(decoded(encoded, plain.size(), 2), plain));
}

TEST_CASE("a single byte that is not zero survives wherever it stands", "[codec]") {
    const std::size_t offset = GENERATE(std::size_t{0}, std::size_t{15}, std::size_t{16},
                                        block_size - 1, block_size, 2 * block_size - 1);
    const Bytes plain = with_byte(zero_bytes(2 * block_size), offset, 0x80);
    CHECK(equal(decoded(encode(plain, {}), plain.size()), plain));
}

TEST_CASE("content that a method cannot shrink is stored as it is", "[codec]") {
    const auto method = GENERATE(CodecId::zstd, CodecId::lz4);
    const Bytes random = noise(block_size + 5, 7);
    CHECK(encode(random, {method, 1, 2}).codec == CodecId::none);

    // One block that shrinks beside one that does not: the second is raw.
    Bytes mixed = prose(block_size, 1);
    append(mixed, noise(block_size, 2));
    const Encoded encoded = encode(mixed, {method, 1, 2});
    CHECK(encoded.codec == method);
    CHECK(encoded.bytes.size() > block_size);
    CHECK(equal(decoded(encoded, mixed.size()), mixed));
}

TEST_CASE("a block that did not fit leaves nothing behind for the next, at any level", "[codec]") {
    const Bytes random = noise(200'000, 8);
    const Bytes plain = prose(200'000, 9);
    const Bytes expected = encode(plain, {CodecId::zstd, 3, 1}).bytes;
    for (const int level : {1, 3, 5}) {
        CHECK(encode(random, {CodecId::zstd, level, 1}).codec == CodecId::none);
        CHECK(encode(plain, {CodecId::zstd, 3, 1}).bytes == expected);
    }
}

TEST_CASE("a level outside the range of zstd is a usage error that names the range", "[codec]") {
    const int level = GENERATE(-1, 0, 20);
    try {
        static_cast<void>(encode(prose(100, 1), {CodecId::zstd, level, 1}));
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::usage);
        CHECK_THAT(error.message(), Catch::Contains("1 to 19"));
    }
    CHECK_NOTHROW(encode(prose(100, 1), {CodecId::lz4, level, 1}));
}

TEST_CASE("an unknown codec or layout asks for an upgrade (fault 55)", "[codec]") {
    const auto [codec, encoded] = GENERATE(table<CodecId, Bytes>({
        {CodecId::zero_tail, Bytes(10)},
        {CodecId::wal, with_byte(noise(60, 1), 0, 2)},
        {static_cast<CodecId>(77), Bytes(10)},
        {CodecId::zstd, with_byte(one_block(raw_kind | 1, noise(1, 1)), 0, 2)},
    }));
    try {
        Bytes out;
        decode(codec, encoded, 1, 1, out);
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::usage);
        CHECK_THAT(error.hint(), Catch::Contains("upgrade"));
    }
    CHECK_THROWS_AS(encode({}, {static_cast<CodecId>(77), 1, 1}), Error);
    CHECK_THROWS_AS(encode({}, {CodecId::wal, 1, 1, CodecId::none}), Error);
    CHECK_THROWS_AS(encode({}, {CodecId::zero_tail, 1, 1}), Error);
}

TEST_CASE("each codec has a name of its own, and a number that is none has no name", "[codec]") {
    std::set<std::string_view> names;
    for (const CodecId id :
         {CodecId::none, CodecId::zstd, CodecId::lz4, CodecId::zero_tail, CodecId::wal})
        CHECK(names.insert(to_string(id)).second);
    CHECK_FALSE(names.contains("unknown"));
    CHECK(to_string(static_cast<CodecId>(77)) == "unknown");
}

TEST_CASE("every truncation and extension of encoded bytes is refused", "[codec]") {
    const auto method = GENERATE(CodecId::none, CodecId::zstd, CodecId::lz4);
    const Bytes plain = wal_like(3000, 11);
    const Encoded encoded = encode(plain, {method, 1, 1});
    REQUIRE(encoded.codec == method);
    for (std::size_t size = 0; size < encoded.bytes.size(); ++size)
        CHECK(decode_failure(method, ByteView(encoded.bytes).first(size), plain.size()) ==
              ErrorKind::corrupt);
    Bytes longer = encoded.bytes;
    longer.push_back(std::byte{0});
    CHECK(decode_failure(method, longer, plain.size()) == ErrorKind::corrupt);
}

TEST_CASE("the announced plain size is exact", "[codec]") {
    const auto method = GENERATE(CodecId::none, CodecId::zstd, CodecId::lz4);
    const Bytes plain = wal_like(3000, 11);
    const Encoded encoded = encode(plain, {method, 1, 1});
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, plain.size() - 1, plain.size() + 1, block_size + 1,
          plain_size_max, plain_size_max + 1})
        CHECK(decode_failure(method, encoded.bytes, size) == ErrorKind::corrupt);
}

TEST_CASE("every flipped bit is refused or decodes to the exact size", "[codec]") {
    const auto method = GENERATE(CodecId::zstd, CodecId::lz4);
    const Bytes plain = wal_like(1500, 13);
    const Encoded encoded = encode(plain, {method, 1, 1});
    REQUIRE(encoded.codec == method);
    std::size_t refused = 0;
    for (std::size_t bit = 0; bit < encoded.bytes.size() * 8; ++bit) {
        const auto old = static_cast<unsigned>(encoded.bytes[bit / 8]);
        const auto failure = decode_failure(
            method, with_byte(encoded.bytes, bit / 8, old ^ 1U << bit % 8), plain.size());
        if (!failure) continue;
        ++refused;
        // A later layout version is the one flip that can look like something else than damage.
        CHECK((failure == ErrorKind::corrupt || (bit < 8 && failure == ErrorKind::usage)));
    }
    CHECK(refused > 60);  // at least the header and the table, but for flips of the block size
}

TEST_CASE("a few bytes cannot announce a large content", "[codec]") {
    Bytes bomb;
    ByteWriter writer(bomb);
    writer.write<std::uint8_t>(1);
    writer.write<std::uint8_t>(26);
    writer.write<std::uint32_t>(1);
    writer.write<std::uint32_t>(compressed_kind | 60'000'000);
    Bytes out;
    for (const std::size_t size : {plain_size_max, plain_size_max + 1, std::size_t{1} << 60}) {
        CHECK_THROWS_AS(decode(CodecId::zstd, bomb, size, 1, out), Error);
        CHECK(out.capacity() == 0);
    }
    // The largest that is honest: 64 MiB of zeros in one entry.
    store_le<std::uint32_t>(bomb.data() + 6, 0);
    decode(CodecId::zstd, bomb, plain_size_max, 2, out);
    CHECK(equal(out, zero_bytes(plain_size_max)));
}

TEST_CASE("a table entry is valid for its kind and the plain size or refused", "[codec]") {
    const auto codec = GENERATE(CodecId::zstd, CodecId::lz4);
    const Bytes two = prose(2, 1);
    CHECK(decode_failure(codec, one_block(raw_kind | 2, two), 2) == std::nullopt);
    CHECK(decode_failure(codec, one_block(0, {}), 2) == std::nullopt);
    CHECK(decode_failure(codec, one_block(0, two), 2) == ErrorKind::corrupt);
    CHECK(decode_failure(codec, one_block(2, two), 2) == ErrorKind::corrupt);
    CHECK(decode_failure(codec, one_block(raw_kind | 2, two), 3) == ErrorKind::corrupt);
    CHECK(decode_failure(codec, one_block(raw_kind | 0x3FFFFFFF, two), 2) == ErrorKind::corrupt);
    CHECK(decode_failure(codec, one_block(compressed_kind, {}), 2) == ErrorKind::corrupt);
    CHECK(decode_failure(codec, one_block(compressed_kind | 2, two), 2) == ErrorKind::corrupt);
    CHECK(decode_failure(codec, one_block(3U << 30, {}), 2) == ErrorKind::corrupt);
}

TEST_CASE("a zstd block is one frame that states its size", "[codec]") {
    const Bytes plain = prose(4000, 3);
    const Encoded encoded = encode(plain, {CodecId::zstd, 1, 1});
    const Bytes frame(encoded.bytes.begin() + 10, encoded.bytes.end());
    const auto entry_of = [](ByteView stored) {
        return compressed_kind | static_cast<std::uint32_t>(stored.size());
    };
    CHECK(decode_failure(CodecId::zstd, one_block(entry_of(frame), frame), 4000) == std::nullopt);

    SECTION("two frames") {
        Bytes twice = frame;
        append(twice, frame);
        CHECK(decode_failure(CodecId::zstd, one_block(entry_of(twice), twice), 8000) ==
              ErrorKind::corrupt);
    }
    SECTION("a skippable frame before or after") {
        Bytes skippable;
        ByteWriter writer(skippable);
        writer.write<std::uint32_t>(0x184D2A50);
        writer.write<std::uint32_t>(3);
        writer.write_bytes(prose(3, 1));
        Bytes before = skippable;
        append(before, frame);
        Bytes after = frame;
        append(after, skippable);
        CHECK(decode_failure(CodecId::zstd, one_block(entry_of(before), before), 4000) ==
              ErrorKind::corrupt);
        CHECK(decode_failure(CodecId::zstd, one_block(entry_of(after), after), 4000) ==
              ErrorKind::corrupt);
    }
    SECTION("a frame of the format of zstd 0.7") {
        const Bytes old = with_byte(frame, 0, 0x27);
        CHECK(decode_failure(CodecId::zstd, one_block(entry_of(old), old), 4000) ==
              ErrorKind::corrupt);
    }
}

TEST_CASE("an observer sees every byte once, in steps that it can hash", "[codec]") {
    const auto method = GENERATE(CodecId::none, CodecId::zstd, CodecId::lz4);
    const std::size_t size = GENERATE(1U, 300U << 10, (5U << 20) + 3);
    const Bytes plain = prose(size, 7);
    const Encoded encoded = encode(plain, {method, 1, 1});
    Bytes out(plain.size());
    std::mutex mutex;
    std::size_t seen_size = 0;
    decode_into(encoded.codec, encoded.bytes, 3, out, [&](std::size_t offset, ByteView part) {
        const std::lock_guard lock(mutex);
        seen_size += part.size();
        CHECK(offset % decode_step_size == 0);
        CHECK((part.size() % decode_step_size == 0 || offset + part.size() == plain.size()));
        CHECK(equal(part, ByteView(plain).subspan(offset, part.size())));
    });
    CHECK(seen_size == plain.size());
}

TEST_CASE("what nobody keeps is shown as it is", "[codec]") {
    const auto method = GENERATE(CodecId::none, CodecId::zstd, CodecId::lz4);
    const Bytes plain = prose((5U << 20) + 3, 7);
    const Encoded encoded = encode(plain, {method, 1, 1});
    std::mutex mutex;
    Bytes seen = zero_bytes(plain.size());
    show(encoded.codec, encoded.bytes, plain.size(), 2, [&](std::size_t offset, ByteView part) {
        const std::lock_guard lock(mutex);
        std::copy(part.begin(), part.end(), seen.begin() + static_cast<std::ptrdiff_t>(offset));
    });
    CHECK(seen == plain);
    CHECK(test::kind_of([&] {
              show(encoded.codec, encoded.bytes, plain.size() + 1, 2, [](std::size_t, ByteView) {});
          }) == ErrorKind::corrupt);
}

TEST_CASE("small blocks of another writer are observed in whole steps", "[codec]") {
    // Layout 1 with blocks of 64 KiB, all of them zeros: 9 blocks, the last of 5 bytes.
    constexpr std::size_t size = (8U << 16) + 5;
    Bytes encoded;
    ByteWriter writer(encoded);
    writer.write<std::uint8_t>(1);
    writer.write<std::uint8_t>(16);
    writer.write<std::uint32_t>(9);
    for (int i = 0; i < 9; ++i) writer.write<std::uint32_t>(0);
    Bytes out(size);
    std::vector<std::size_t> offsets;
    decode_into(CodecId::zstd, encoded, 1, out,
                [&](std::size_t offset, ByteView) { offsets.push_back(offset); });
    CHECK(offsets == std::vector<std::size_t>{0, 4U << 16, 8U << 16});
}
