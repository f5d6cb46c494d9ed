// What the tests of this folder share: bytes from hex, one of what comes in numbers, and errors as
// values.
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/secret.h"
#include "crypto/content_id.h"
#include "crypto/key_slot.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace walden::crypto {

inline Bytes from_hex(std::string_view hex) {
    Bytes bytes(hex.size() / 2);
    REQUIRE(parse_hex(hex, bytes));
    return bytes;
}

template <std::size_t N>
std::array<std::byte, N> array_from_hex(std::string_view hex) {
    std::array<std::byte, N> bytes{};
    REQUIRE(parse_hex(hex, bytes));
    return bytes;
}

inline Secret<32> secret_from_hex(std::string_view hex) {
    return Secret<32>(array_from_hex<32>(hex));
}

/// Byte i is (i * 31 + i / 256 * 17 + i / 65536 * 101) mod 256, as in tests/golden/make_crypto.py:
/// no two leaves of a content id are alike.
inline Bytes pattern(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>((i * 31 + i / 256 * 17 + i / 65536 * 101) & 255);
    return bytes;
}

/// ContentIdHash::compute(), for one content.
inline ContentId compute_content_id(const ContentIdKey& key, ByteView plain,
                                    std::size_t worker_count) {
    return ContentIdHash(key).compute(plain, worker_count);
}

/// open_slot_chain(), for a slot that was never rotated.
inline std::optional<KeyBundle> open_slot(const UnlockSecret& secret, ByteView slot) {
    const std::vector<Bytes> chain{to_bytes(slot)};
    auto bundles = open_slot_chain(secret, chain);
    if (!bundles) return std::nullopt;
    return std::move(bundles->front());
}

template <class Body>
std::optional<Error> error_of(const Body& body) {
    try {
        body();
    } catch (const Error& error) {
        return error;
    }
    return std::nullopt;
}

template <class Body>
std::optional<ErrorKind> kind_of(const Body& body) {
    const std::optional<Error> error = error_of(body);
    if (!error) return std::nullopt;
    return error->kind();
}

inline bool contains(ByteView haystack, ByteView needle) {
    return as_text(haystack).find(as_text(needle)) != std::string_view::npos;
}

inline Bytes with_bit_flipped(ByteView bytes, std::size_t bit) {
    Bytes flipped = to_bytes(bytes);
    flipped[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    return flipped;
}

/// The slot with the checksum that fits it: what an attacker would write.
inline Bytes with_fitting_crc(Bytes slot) {
    const std::size_t body_size = slot.size() - 4;
    store_le(&slot[body_size], crc32c(ByteView(slot).first(body_size)));
    return slot;
}

inline Bytes read_golden(const std::string& name) {
    const char* const root = std::getenv("WALDEN_SOURCE_ROOT");
    REQUIRE(root != nullptr);
    const auto bytes = read_file(std::string(root) + "/tests/golden/crypto/" + name, 1 << 20);
    REQUIRE(bytes.has_value());
    return *bytes;
}

}  // namespace walden::crypto
