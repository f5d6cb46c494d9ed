#include "vault/container.h"

#include "base/format.h"
#include "base/hash.h"
#include "base/random.h"
#include "support/archive_fixture.h"
#include "support/errors.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::vault;
using crypto::Suite;

namespace {

constexpr std::string_view object_key = "clusters/main/1/wal/00000001/00000000/x";
constexpr std::size_t header_crc_at = 124;
constexpr std::size_t trailer_size = 48;

const std::vector<ObjectKind> all_kinds = {ObjectKind::content, ObjectKind::entry,
                                           ObjectKind::claim, ObjectKind::identity};

crypto::ContentId some_id() {
    crypto::ContentId id;
    id.bytes.fill(std::byte{7});
    return id;
}

Payload payload_of(ByteView encoded, ObjectKind kind) {
    return {.codec = kind == ObjectKind::content ? codec::CodecId::zstd : codec::CodecId::none,
            .plain_size = encoded.size() + 5,
            .content_id = kind == ObjectKind::content ? some_id() : crypto::ContentId{},
            .encoded = encoded};
}

Bytes seal(Suite suite, ObjectKind kind, ByteView encoded, std::string_view key = object_key) {
    return seal_object(test_keyring(suite), {.kind = kind, .key = key}, payload_of(encoded, kind));
}

Unsealed unseal(Suite suite, ObjectKind kind, ByteView object) {
    return unseal_object(test_keyring(suite), {.kind = kind, .key = object_key}, object);
}

Bytes random_bytes(std::size_t size) {
    Bytes bytes(size);
    fill_random(bytes);
    return bytes;
}

/// What somebody who can compute checksums would write.
Bytes with_fitting_checksums(Bytes object) {
    store_le(&object[header_crc_at], crc32c(ByteView(object).first(header_crc_at)));
    std::byte* const trailer = &object[object.size() - trailer_size];
    store_le(trailer + 24, xxh3_64(ByteView(object).first(object.size() - trailer_size)));
    store_le(trailer + 36, crc32c(ByteView(object).last(trailer_size).first(36)));
    return object;
}

std::optional<ErrorKind> failure_of(Suite suite, ObjectKind kind, ByteView object) {
    return kind_of([&] { static_cast<void>(unseal(suite, kind, object)); });
}

}  // namespace

TEST_CASE("what is sealed comes back, of each kind, suite and size", "[vault][container]") {
    const Suite suite = GENERATE(Suite::none, Suite::aes_256_gcm);
    for (const ObjectKind kind : all_kinds)
        for (const std::size_t size : {0U, 1U, 100U, 262143U, 262144U, 262145U, 600000U}) {
            INFO(to_string(kind) << " " << size);
            const Bytes encoded = random_bytes(size);
            const Bytes object = seal(suite, kind, encoded);
            CHECK(object.size() == sealed_size(test_keyring(suite), kind, size));
            CHECK(object.size() <= size + 2048 + size / 16384);
            const Unsealed opened = unseal(suite, kind, object);
            CHECK(equal(opened.encoded, encoded));
            CHECK(opened.plain_size == size + 5);
            CHECK(opened.codec == payload_of(encoded, kind).codec);
            CHECK(opened.content_id == payload_of(encoded, kind).content_id);
            const ContainerHeader header = inspect_object(object);
            CHECK(header.kind == kind);
            CHECK(header.suite == suite);
            CHECK(header.encoded_size == size);
            CHECK(header.plain_size == size + 5);
            CHECK(header.frame_count == (size + 262143) / 262144);
            CHECK(header.epoch == (suite != Suite::none && kind == ObjectKind::content ? 1 : 0));
        }
}

TEST_CASE("encryption hides the bytes, and no two objects are alike", "[vault][container]") {
    const Bytes encoded = to_bytes(as_bytes("the same forty characters, sealed twice."));
    for (const ObjectKind kind : all_kinds) {
        const Bytes first = seal(Suite::aes_256_gcm, kind, encoded);
        CHECK_FALSE(equal(first, seal(Suite::aes_256_gcm, kind, encoded)));
        CHECK_FALSE(mentions(as_text(first), as_text(encoded)));
        CHECK(mentions(as_text(seal(Suite::none, kind, encoded)), as_text(encoded)));
    }
}

TEST_CASE("every flipped bit of an object is found, with and without the key (fault 40)",
          "[vault][container]") {
    const Suite suite = GENERATE(Suite::none, Suite::aes_256_gcm);
    for (const ObjectKind kind : all_kinds) {
        const Bytes object = seal(suite, kind, as_bytes("a few bytes"));
        for (std::size_t bit = 0; bit < object.size() * 8; ++bit) {
            const Bytes flipped = with_bit_flipped(object, bit);
            // "Upgrade walden" would send people the wrong way: damage is always corrupt.
            if (kind_of([&] { inspect_object(flipped); }) != ErrorKind::corrupt ||
                failure_of(suite, kind, flipped) != ErrorKind::corrupt)
                FAIL_CHECK(to_string(kind) << " bit " << bit);
        }
    }
}

TEST_CASE("every truncation of an object is found, with and without the key (fault 40)",
          "[vault][container]") {
    const Suite suite = GENERATE(Suite::none, Suite::aes_256_gcm);
    for (const ObjectKind kind : all_kinds) {
        const Bytes object = seal(suite, kind, as_bytes("a few bytes"));
        for (std::size_t size = 0; size < object.size(); ++size) {
            const ByteView cut = ByteView(object).first(size);
            if (kind_of([&] { inspect_object(cut); }) != ErrorKind::corrupt ||
                failure_of(suite, kind, cut) != ErrorKind::corrupt)
                FAIL_CHECK(to_string(kind) << " cut to " << size);
        }
        Bytes longer = object;
        longer.push_back(std::byte{0});
        CHECK(failure_of(suite, kind, longer) == ErrorKind::corrupt);
        append(longer, object);
        CHECK(failure_of(suite, kind, longer) == ErrorKind::corrupt);
    }
}

TEST_CASE("with encryption no flipped bit survives fitting checksums (fault 85)",
          "[vault][container]") {
    for (const ObjectKind kind : all_kinds) {
        const Bytes object = seal(Suite::aes_256_gcm, kind, as_bytes("a few bytes"));
        const std::size_t trailer_at = object.size() - trailer_size;
        for (std::size_t bit = 0; bit < trailer_at * 8; ++bit) {
            if (bit / 8 >= header_crc_at && bit / 8 < header_crc_at + 4) continue;
            const Bytes forged = with_fitting_checksums(with_bit_flipped(object, bit));
            const auto failure = failure_of(Suite::aes_256_gcm, kind, forged);
            if (!failure) FAIL_CHECK(to_string(kind) << " bit " << bit);
        }
    }
}

TEST_CASE("an object does not open elsewhere than where it was put (fault 42)",
          "[vault][container]") {
    const Suite suite = GENERATE(Suite::none, Suite::aes_256_gcm);
    for (const ObjectKind kind : all_kinds) {
        const Bytes object = seal(suite, kind, as_bytes("bytes"));
        const ClusterKeyring keys = test_keyring(suite);
        CHECK(mentions(message_of([&] {
                           static_cast<void>(unseal_object(
                               keys, {.kind = kind, .key = "clusters/main/1/other"}, object));
                       }),
                       "moved or swapped"));
        for (const ObjectKind other : all_kinds) {
            if (other == kind) continue;
            CHECK(failure_of(suite, other, object) == ErrorKind::corrupt);
        }
        CHECK(kind_of([&] {
                  inspect_object_at(keys.repository(), {.kind = kind, .key = "other"}, object);
              }) == ErrorKind::corrupt);
        inspect_object_at(keys.repository(), {.kind = kind, .key = object_key}, object);
    }
}

TEST_CASE("an object of another repository is foreign, not damaged (faults 30, 97)",
          "[vault][container]") {
    crypto::RepositoryId id{};
    const auto bundle = std::make_shared<const crypto::KeyBundle>(crypto::KeyBundle::create(id));
    const ClusterKeyring other =
        GENERATE_COPY(values<ClusterKeyring>({ClusterKeyring(id), ClusterKeyring(bundle, "main")}));
    for (const ObjectKind kind : all_kinds) {
        const Bytes object =
            seal_object(other, {.kind = kind, .key = object_key}, payload_of(as_bytes("x"), kind));
        CHECK(failure_of(other.suite(), kind, object) == ErrorKind::foreign);
    }
}

TEST_CASE("an object of another cluster does not open with this cluster's keys",
          "[vault][container]") {
    const auto bundle = std::make_shared<const crypto::KeyBundle>(test_read_bundle());
    const ClusterKeyring other(bundle, "other");
    for (const ObjectKind kind : {ObjectKind::entry, ObjectKind::claim, ObjectKind::identity}) {
        const Bytes object =
            seal_object(other, {.kind = kind, .key = object_key}, payload_of(as_bytes("x"), kind));
        CHECK(failure_of(Suite::aes_256_gcm, kind, object) == ErrorKind::corrupt);
    }
}

TEST_CASE("an encrypted repository takes no unencrypted object, nor the other way round",
          "[vault][container]") {
    for (const ObjectKind kind : all_kinds) {
        CHECK(failure_of(Suite::aes_256_gcm, kind, seal(Suite::none, kind, as_bytes("x"))) ==
              ErrorKind::corrupt);
        CHECK(failure_of(Suite::none, kind, seal(Suite::aes_256_gcm, kind, as_bytes("x"))) ==
              ErrorKind::corrupt);
    }
}

TEST_CASE("a put bundle writes contents and cannot open them", "[vault][container]") {
    const ClusterKeyring put = test_put_keyring();
    CHECK_FALSE(put.can_read_contents());
    const ObjectPlace place{.kind = ObjectKind::content, .key = object_key};
    const Bytes object =
        seal_object(put, place, payload_of(as_bytes("secret"), ObjectKind::content));
    const auto error = error_of([&] { static_cast<void>(unseal_object(put, place, object)); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::usage);
    CHECK(error->message() == "the key on this host can archive but not read");
    CHECK(as_text(unseal(Suite::aes_256_gcm, ObjectKind::content, object).encoded) == "secret");
    CHECK(kind_of([&] { prove_keyring(put); }) == ErrorKind::usage);
    prove_keyring(test_keyring(Suite::aes_256_gcm));
    prove_keyring(test_keyring(Suite::none));

    const ObjectPlace entry{.kind = ObjectKind::entry, .key = object_key};
    const Bytes sealed = seal_object(put, entry, payload_of(as_bytes("e"), ObjectKind::entry));
    CHECK(as_text(unseal_object(put, entry, sealed).encoded) == "e");
}

TEST_CASE("contents of every epoch open with a bundle that knows it, and only with it",
          "[vault][container]") {
    const auto first = std::make_shared<const crypto::KeyBundle>(test_read_bundle());
    const auto second = std::make_shared<const crypto::KeyBundle>(first->rotate());
    const ClusterKeyring old_keys(first, "main");
    const ClusterKeyring new_keys(second, "main");
    const ObjectPlace place{.kind = ObjectKind::content, .key = object_key};
    const Payload payload = payload_of(as_bytes("x"), ObjectKind::content);
    const Bytes old_object = seal_object(old_keys, place, payload);
    const Bytes new_object = seal_object(new_keys, place, payload);
    CHECK(inspect_object(new_object).epoch == 2);
    CHECK(as_text(unseal_object(new_keys, place, old_object).encoded) == "x");
    CHECK(as_text(unseal_object(new_keys, place, new_object).encoded) == "x");
    CHECK(kind_of([&] { static_cast<void>(unseal_object(old_keys, place, new_object)); }) ==
          ErrorKind::usage);

    // Said to be of the other epoch: the binding of the sealed key breaks.
    Bytes moved = old_object;
    store_le(&moved[48], std::uint32_t{2});
    CHECK(kind_of([&] {
              static_cast<void>(unseal_object(new_keys, place, with_fitting_checksums(moved)));
          }) == ErrorKind::corrupt);
}

TEST_CASE("frames that change places, or come from another object, are found",
          "[vault][container]") {
    const Suite suite = GENERATE(Suite::none, Suite::aes_256_gcm);
    constexpr std::size_t frame = 262144 + 16;
    const Bytes encoded = random_bytes(3 * 262144 + 100);
    const Bytes object = seal(suite, ObjectKind::content, encoded);
    const Bytes other = seal(suite, ObjectKind::content, encoded, "clusters/other");
    const std::size_t head = inspect_object(object).header_size;

    Bytes swapped = object;
    std::swap_ranges(swapped.begin() + static_cast<std::ptrdiff_t>(head),
                     swapped.begin() + static_cast<std::ptrdiff_t>(head + frame),
                     swapped.begin() + static_cast<std::ptrdiff_t>(head + frame));
    CHECK(mentions(message_of([&] {
                       static_cast<void>(
                           unseal(suite, ObjectKind::content, with_fitting_checksums(swapped)));
                   }),
                   "frame 0 of the object fails"));

    Bytes spliced = object;
    std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(head + frame), frame,
                spliced.begin() + static_cast<std::ptrdiff_t>(head + frame));
    CHECK(failure_of(suite, ObjectKind::content, with_fitting_checksums(spliced)) ==
          ErrorKind::corrupt);

    // The last whole frame cut out, sizes and checksums made to fit.
    Bytes cut = to_bytes(ByteView(object).first(head + 2 * frame));
    append(cut, ByteView(object).subspan(head + 3 * frame));
    std::byte* const trailer = &cut[cut.size() - trailer_size];
    store_le(trailer, std::uint64_t{encoded.size() - 262144});
    store_le(trailer + 16, std::uint32_t{3});
    CHECK(failure_of(suite, ObjectKind::content, with_fitting_checksums(cut)) ==
          ErrorKind::corrupt);
}

TEST_CASE("a newer version is refused with the advice to upgrade (invariant 40, fault 55)",
          "[vault][container]") {
    const Bytes object = seal(Suite::aes_256_gcm, ObjectKind::entry, as_bytes("x"));
    const std::size_t trailer_version_at = object.size() - trailer_size + 20;
    for (const unsigned version : {2U, 3U, 255U})
        for (const std::size_t at : {std::size_t{8}, trailer_version_at}) {
            Bytes newer = object;
            newer[at] = static_cast<std::byte>(version);
            newer = with_fitting_checksums(newer);
            const auto error = error_of([&] { inspect_object(newer); });
            REQUIRE(error.has_value());
            CHECK(error->kind() == ErrorKind::usage);
            CHECK(error->message() ==
                  format("object format {} is newer than this version of walden understands",
                         version));
            CHECK(error->hint() == "Upgrade walden on this host.");
        }
    Bytes zero = object;
    zero[8] = std::byte{0};
    CHECK(kind_of([&] { inspect_object(with_fitting_checksums(zero)); }) == ErrorKind::corrupt);
}

TEST_CASE("hostile sizes are refused before anything is allocated", "[vault][container]") {
    const Suite suite = GENERATE(Suite::none, Suite::aes_256_gcm);
    const Bytes object = seal(suite, ObjectKind::content, as_bytes("x"));
    const auto with_trailer = [&](std::uint64_t encoded, std::uint64_t plain,
                                  std::uint32_t frames) {
        Bytes hostile = object;
        std::byte* const trailer = &hostile[hostile.size() - trailer_size];
        store_le(trailer, encoded);
        store_le(trailer + 8, plain);
        store_le(trailer + 16, frames);
        return with_fitting_checksums(hostile);
    };
    for (const std::uint64_t size :
         {std::uint64_t{0}, std::uint64_t{2}, std::uint64_t{262144}, std::uint64_t{1} << 26,
          (std::uint64_t{1} << 26) + 1, std::uint64_t{1} << 32, std::uint64_t{1} << 63,
          ~std::uint64_t{0}, ~std::uint64_t{0} - 262142}) {
        INFO(size);
        const auto frames = static_cast<std::uint32_t>((size + 262143) / 262144);
        CHECK(kind_of([&] { inspect_object(with_trailer(size, 6, frames)); }) ==
              ErrorKind::corrupt);
        if (size > std::uint64_t{1} << 26)
            CHECK(kind_of([&] { inspect_object(with_trailer(1, size, 1)); }) == ErrorKind::corrupt);
    }
    for (const std::uint32_t frames : {0U, 2U, 0xFFFFFFFFU})
        CHECK(kind_of([&] { inspect_object(with_trailer(1, 6, frames)); }) == ErrorKind::corrupt);
    for (const std::uint32_t head : {0U, 127U, 129U, 0xFFFFFFFFU}) {
        Bytes hostile = object;
        store_le(&hostile[120], head);
        CHECK(kind_of([&] { inspect_object(with_fitting_checksums(hostile)); }) ==
              ErrorKind::corrupt);
    }
    // What only the footer knows is compared with the trailer.
    CHECK(failure_of(suite, ObjectKind::content, with_trailer(1, 7, 1)) == ErrorKind::corrupt);
}

TEST_CASE("impossible header fields are refused", "[vault][container]") {
    const Bytes object = seal(Suite::aes_256_gcm, ObjectKind::content, as_bytes("x"));
    const std::vector<std::pair<std::size_t, unsigned>> changes = {
        {9, 0},  {9, 5},   {10, 2}, {10, 0}, {11, 3}, {11, 0}, {11, 2}, {12, 2},
        {12, 0}, {13, 17}, {14, 1}, {15, 1}, {52, 0}, {52, 2}, {55, 1}};
    for (const auto& [at, value] : changes) {
        INFO(at << " = " << value);
        Bytes changed = object;
        changed[at] = static_cast<std::byte>(value);
        CHECK(kind_of([&] { inspect_object(with_fitting_checksums(changed)); }) ==
              ErrorKind::corrupt);
    }
}
