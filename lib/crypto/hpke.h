// Single-shot HPKE, RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM
// (kem 0x0020, kdf 0x0001, aead 0x0002), modes base and psk. OpenSSL 3.0 has the primitives but
// not the construction (3.2 has); RFC 9180's vectors (appendix A, and the test-vectors file it
// names) check this one.
#pragma once

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/x25519.h"

#include <array>
#include <optional>

namespace walden::crypto {

/// DHKEM's DeriveKeyPair (RFC 9180, 7.1.3): a key pair from 32 bytes of key material.
[[nodiscard]] X25519KeyPair derive_x25519_key_pair(const Secret<32>& input_key_material);

/// What binds a sealed message to its place; equal on both sides.
struct HpkeContext {
    ByteView info;
    ByteView psk;     ///< empty: mode base; else mode psk, at least 32 bytes
    ByteView psk_id;  ///< empty exactly when psk is
    ByteView aad;
};

struct HpkeSealed {
    std::array<std::byte, 32> encapsulated_key{};
    Bytes ciphertext;  ///< plain size + 16
};

/// Throws Error(usage) if `recipient` is a low-order point (the shared secret would be zero), or
/// if psk and psk_id do not fit together.
[[nodiscard]] HpkeSealed hpke_seal(const X25519PublicKey& recipient, const HpkeContext& context,
                                   ByteView plain);

/// hpke_seal with an ephemeral key that the caller chose. For known answers only: two messages
/// under one ephemeral key and context would share key and nonce.
[[nodiscard]] HpkeSealed hpke_seal_with(const X25519KeyPair& ephemeral,
                                        const X25519PublicKey& recipient,
                                        const HpkeContext& context, ByteView plain);

/// nullopt unless the message was sealed to this key in this context. The caller zeroes the
/// result. Throws Error(usage) if psk and psk_id do not fit together.
[[nodiscard]] std::optional<Bytes> hpke_open(const X25519SecretKey& recipient,
                                             const HpkeContext& context, ByteView encapsulated_key,
                                             ByteView ciphertext);

}  // namespace walden::crypto
