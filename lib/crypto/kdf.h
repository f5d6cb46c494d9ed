// Key derivation: HKDF-SHA-256 (RFC 5869) and scrypt (RFC 7914).
#pragma once

#include "base/bytes.h"
#include "base/secret.h"

#include <cstdint>
#include <string_view>

namespace walden::crypto {

/// An empty salt is the 32 zero bytes of the RFC.
[[nodiscard]] Secret<32> hkdf_extract(ByteView salt, ByteView input_key);

/// Fills `out` (at most 255 * 32 bytes).
void hkdf_expand(ByteView pseudo_random_key, ByteView info, MutableByteView out);

/// hkdf_expand to 32 bytes with a text label.
[[nodiscard]] Secret<32> derive_key(const Secret<32>& key, std::string_view label);

/// HMAC-SHA-256.
[[nodiscard]] std::array<std::byte, 32> hmac_sha256(ByteView key, ByteView message);

/// Equality in constant time.
[[nodiscard]] bool equal_in_constant_time(ByteView a, ByteView b);

struct ScryptCost {
    std::uint64_t n = std::uint64_t{1} << 17;  ///< a power of two; memory is 128 * r * n bytes
    std::uint32_t r = 8;
    std::uint32_t p = 1;
};

/// True if the cost is one we are willing to pay: n a power of two in [2^10, 2^20], r in [1, 16],
/// p in [1, 4], at most 1 GiB. A hostile slot must not make us allocate or compute without limit.
[[nodiscard]] bool is_acceptable(const ScryptCost& cost);

/// Throws Error(usage) for a cost that is not acceptable, Error(io) if the memory is not there.
[[nodiscard]] Secret<32> scrypt(std::string_view passphrase, ByteView salt, const ScryptCost& cost);

}  // namespace walden::crypto
