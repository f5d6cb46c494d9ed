#include "vault/container_steps.h"

#include "base/random.h"
#include "support/archive_fixture.h"
#include "support/errors.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::vault;
using crypto::Suite;

namespace {

constexpr std::string_view pack_key = "clusters/main/1/backups/20261129-080000-0000/packs/00000001";
constexpr ObjectPlace place{.kind = ObjectKind::pack, .key = pack_key};
constexpr std::size_t frame_size = 256 << 10;

Bytes random_bytes(std::size_t size) {
    Bytes bytes(size);
    fill_random(bytes);
    return bytes;
}

Bytes seal_in_steps(const ClusterKeyring& keys, ByteView encoded, std::size_t step) {
    ObjectSealer sealer(keys, place, encoded.size());
    for (ByteView rest = encoded; !rest.empty();) {
        const std::size_t size = std::min(step, rest.size());
        sealer.append(rest.first(size));
        rest = rest.subspan(size);
    }
    CHECK(sealer.encoded_size() == encoded.size());
    return std::move(sealer).finish(codec::CodecId::none, encoded.size());
}

/// What a storage answers to a range.
ByteView read(ByteView object, const ObjectPartOpener::Range& range) {
    if (range.offset >= object.size()) return {};
    return object.subspan(range.offset, std::min(range.size, object.size() - range.offset));
}

Bytes open_part(const ClusterKeyring& keys, ByteView object, std::uint64_t offset,
                std::size_t size) {
    ObjectPartOpener opener(keys, place,
                            object.first(std::min(ObjectPartOpener::head_size_max, object.size())));
    Bytes out;
    return to_bytes(opener.open(offset, size, read(object, opener.range_of(offset, size)), out));
}

}  // namespace

TEST_CASE("what is sealed in steps is an object like any other", "[vault][container]") {
    const Suite suite = GENERATE(Suite::none, Suite::aes_256_gcm);
    const ClusterKeyring keys = test_keyring(suite);
    for (const std::size_t size : {0U, 1U, 262143U, 262144U, 262145U, 800000U})
        for (const std::size_t step : {1000U, 262144U, 1000000U}) {
            INFO(size << " in steps of " << step);
            const Bytes encoded = random_bytes(size);
            const Bytes object = seal_in_steps(keys, encoded, step);
            CHECK(object.size() == sealed_size(keys, ObjectKind::pack, size));
            const Unsealed opened = unseal_object(keys, place, object);
            CHECK(equal(opened.encoded, encoded));
            CHECK(opened.plain_size == size);
        }
}

TEST_CASE("any part of an object opens without its size being known", "[vault][container]") {
    const Suite suite = GENERATE(Suite::none, Suite::aes_256_gcm);
    const ClusterKeyring keys = test_keyring(suite);
    // Ends near the end of a frame are where the tail could be taken for a part of it.
    for (const std::size_t size :
         {std::size_t{1}, std::size_t{5000}, frame_size - 129, frame_size - 128, frame_size - 127,
          frame_size - 1, frame_size, frame_size + 1, 2 * frame_size - 128, 3 * frame_size}) {
        const Bytes encoded = random_bytes(size);
        const Bytes object = seal_in_steps(keys, encoded, size);
        for (const std::size_t offset :
             {std::size_t{0}, size / 3, size - 1, std::min(size - 1, frame_size)})
            for (const std::size_t count :
                 {std::size_t{1}, (size - offset + 1) / 2, size - offset}) {
                INFO(count << " of " << size << " at " << offset);
                CHECK(equal(open_part(keys, object, offset, count),
                            ByteView(encoded).subspan(offset, count)));
            }
    }
}

TEST_CASE("a part that is damaged, cut or elsewhere does not open", "[vault][container]") {
    const ClusterKeyring keys = test_keyring(Suite::aes_256_gcm);
    const Bytes encoded = random_bytes(2 * frame_size + 1000);
    const Bytes object = seal_in_steps(keys, encoded, encoded.size());
    const auto fails = [&](ByteView bytes, std::uint64_t offset, std::size_t size) {
        return kind_of([&] { open_part(keys, bytes, offset, size); });
    };
    SECTION("a flipped bit in the frames that are read") {
        const Bytes flipped = with_bit_flipped(object, (300 + frame_size) * 8);
        CHECK(fails(flipped, frame_size, 10) == ErrorKind::corrupt);
        CHECK(fails(flipped, 0, 10) == std::nullopt);
    }
    SECTION("a flipped bit in the header") {
        for (const std::size_t byte : {0U, 9U, 20U, 60U, 100U, 130U, 170U})
            CHECK(fails(with_bit_flipped(object, byte * 8), 0, 10) == ErrorKind::corrupt);
    }
    SECTION("every cut before the bytes that are asked for") {
        for (std::size_t cut : {1U, 100U, 129U, 1000U, 1200U, 262144U, 500000U, 524000U})
            CHECK(fails(ByteView(object).first(object.size() - cut), encoded.size() - 10, 10) ==
                  ErrorKind::corrupt);
        CHECK(fails(ByteView(object).first(100), 0, 10) == ErrorKind::corrupt);
    }
    SECTION("a cut at the end of a frame leaves the frames before it") {
        const std::size_t head = 208;
        const ByteView cut = ByteView(object).first(head + frame_size + 16);
        CHECK(fails(cut, frame_size, 10) == ErrorKind::corrupt);
        // The frame itself is whole; that the object is not can only be seen at its end.
        CHECK(fails(cut, 0, 10) == ErrorKind::corrupt);
    }
    SECTION("bytes behind the end") {
        CHECK(fails(object, encoded.size() - 1, 2) == ErrorKind::corrupt);
        CHECK(fails(object, encoded.size() + 10 * frame_size, 2) == ErrorKind::corrupt);
    }
    SECTION("another name, another kind, another key") {
        const ByteView head = ByteView(object).first(ObjectPartOpener::head_size_max);
        const auto opens = [&](const ClusterKeyring& with, ObjectPlace where) {
            return kind_of([&] { ObjectPartOpener(with, where, head); });
        };
        CHECK(opens(keys, {.kind = ObjectKind::pack, .key = "elsewhere"}) == ErrorKind::corrupt);
        CHECK(opens(keys, {.kind = ObjectKind::map, .key = pack_key}) == ErrorKind::corrupt);
        CHECK(opens(test_put_keyring(), place) == ErrorKind::usage);
        CHECK(opens(test_keyring(Suite::none), place) == ErrorKind::corrupt);
    }
}
