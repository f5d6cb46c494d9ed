// Ed25519 signatures (RFC 8032).
#pragma once

#include "base/bytes.h"
#include "base/secret.h"

#include <array>

namespace walden::crypto {

using Ed25519PublicKey = std::array<std::byte, 32>;
using Ed25519SecretKey = Secret<32>;
using Ed25519Signature = std::array<std::byte, 64>;

struct Ed25519KeyPair {
    Ed25519SecretKey secret_key;
    Ed25519PublicKey public_key{};
};

[[nodiscard]] Ed25519KeyPair make_ed25519_key_pair();

/// The public key of a secret key.
[[nodiscard]] Ed25519PublicKey ed25519_public_key(const Ed25519SecretKey& secret_key);

[[nodiscard]] Ed25519Signature sign(const Ed25519SecretKey& key, ByteView message);

/// False for any signature that is not exactly 64 bytes made by the key over the message.
[[nodiscard]] bool verify_signature(const Ed25519PublicKey& key, ByteView message,
                                    ByteView signature);

}  // namespace walden::crypto
