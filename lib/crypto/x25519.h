// X25519 (RFC 7748).
#pragma once

#include "base/bytes.h"
#include "base/secret.h"

#include <array>

namespace walden::crypto {

using X25519PublicKey = std::array<std::byte, 32>;
using X25519SecretKey = Secret<32>;

struct X25519KeyPair {
    X25519SecretKey secret_key;
    X25519PublicKey public_key{};
};

[[nodiscard]] X25519KeyPair make_x25519_key_pair();

/// The public key of a secret key.
[[nodiscard]] X25519PublicKey x25519_public_key(const X25519SecretKey& secret_key);

/// The Diffie-Hellman shared secret into `out`. False, with `out` zeroed, if it would be zero:
/// `public_key` is a point of low order, and a key that everybody knows would come out.
[[nodiscard]] bool x25519_agree(const X25519SecretKey& secret_key,
                                const X25519PublicKey& public_key, Secret<32>& out);

}  // namespace walden::crypto
