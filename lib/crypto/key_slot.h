// Key slots: a key bundle wrapped for one holder, stored in the repository as
// keys/<slot id>.<generation>, created once, never changed.
//
// The holder has an unlock secret (a key file, a passphrase, ...) from which
//   unlock key  = the 32 secret bytes, or scrypt(passphrase, salt, cost)
//   slot secret = X25519 key pair derived from HKDF(unlock key, "walden/v1/slot")
// Generation 1 is wrapped with AES-256-GCM under a key derived from the unlock key: only somebody
// who has the unlock secret can have made it. Rotation must re-wrap for holders who are not
// there, so later generations are sealed with HPKE to the slot's public key and signed with the
// admin key that the previous generation names. Whoever writes to the store can hide a slot, but
// cannot make a holder believe in another bundle.
//
//   magic "WALDENKS" (8) | u16 version = 1 | u8 wrapping (1 unlock key, 2 sealed and signed)
//   u8 bundle kind | u8 source (1 random key, 2 passphrase) | 3 zero | slot id (16)
//   u32 generation | i64 created (Unix seconds, a label) | repository id (16)
//   scrypt: u64 n | u32 r | u32 p | salt (32)          zero for a random key
//   slot public key (32) | u16 n | label | u16 n | cluster ("" for read)
//   u32 size | wrapped bundle          wrapping 1: nonce (12) | ciphertext | tag (16), aad = all before
//                                      wrapping 2: encapsulated key (32) | ciphertext, aad likewise
//   wrapping 2: signature (64) over all before
//   u32 CRC-32C of all before          tells rot from a wrong key
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/kdf.h"
#include "crypto/key_bundle.h"

namespace walden::crypto {

using SlotId = std::array<std::byte, 16>;

enum class SlotSource : std::uint8_t { random_key = 1, passphrase = 2 };

/// What can be read of a slot without its secret.
struct SlotHeader {
    SlotId id{};
    std::uint32_t generation = 1;
    SlotSource source = SlotSource::random_key;
    BundleKind bundle = BundleKind::read;
    RepositoryId repository{};
    std::int64_t created = 0;  ///< Unix seconds; a label, never a safety input
    std::string label;         ///< who holds it: "db1 key file", "safe"
    std::string cluster;       ///< of a put bundle
    ScryptCost scrypt_cost;    ///< passphrase only
    std::array<std::byte, 32> scrypt_salt{};
    X25519PublicKey public_key{};
};

/// The secret that opens a slot. A random key knows its slot; a passphrase tries them.
class UnlockSecret {
public:
    /// A fresh random key for a fresh slot.
    [[nodiscard]] static UnlockSecret make_random_key();

    [[nodiscard]] static UnlockSecret from_passphrase(std::string passphrase);

    /// The text of a key file, environment variable or command output: comment lines (#), blank
    /// lines and one line WALDEN-KEY-1-<slot id, 32 hex>-<key, 64 hex>-<CRC-32C, 8 hex>, any case.
    /// Throws Error(usage) that says what is wrong (no key line, a typing mistake) and shows none
    /// of it.
    [[nodiscard]] static UnlockSecret from_key_text(std::string_view text);

    /// The key line of a random key, with a newline. The caller zeroes it.
    [[nodiscard]] std::string to_key_text() const;

    [[nodiscard]] SlotSource source() const { return source_; }

    /// Of a random key only.
    [[nodiscard]] const SlotId& slot_id() const { return slot_id_; }

    /// The 32-byte unlock key for a slot with these parameters (scrypt takes about 0.4 s and 128
    /// MiB for a passphrase).
    [[nodiscard]] Secret<32> unlock_key(const ScryptCost& cost, ByteView salt) const;

private:
    UnlockSecret() = default;

    SlotSource source_ = SlotSource::random_key;
    SlotId slot_id_{};
    Secret<32> key_;
    std::string passphrase_;

public:
    UnlockSecret(const UnlockSecret&) = default;
    UnlockSecret(UnlockSecret&&) noexcept = default;
    UnlockSecret& operator=(const UnlockSecret&) = delete;
    UnlockSecret& operator=(UnlockSecret&&) noexcept = delete;
    ~UnlockSecret();
};

struct NewSlot {
    std::string label;
    std::int64_t created = 0;
    ScryptCost scrypt_cost;  ///< tests use a cheap one
};

/// Generation 1 of a slot for `secret`. The slot id is the random key's, or fresh.
[[nodiscard]] Bytes make_slot(const UnlockSecret& secret, const KeyBundle& bundle,
                              const NewSlot& options);

/// The next generation of the slot whose latest header is `slot`, made by the holder of the read
/// bundle `admin` (whose admin key signs) without the slot's secret.
[[nodiscard]] Bytes make_next_generation(const SlotHeader& slot, const KeyBundle& admin,
                                         const KeyBundle& bundle);

/// Throws Error(corrupt) for bytes that are not a whole slot, Error(usage) for a newer version.
[[nodiscard]] SlotHeader read_slot_header(ByteView slot);

/// Opens generation 1. nullopt if the secret is not this slot's; Error(corrupt) for damage.
[[nodiscard]] std::optional<KeyBundle> open_slot(const UnlockSecret& secret, ByteView slot);

/// Opens generation n+1 for the holder who opened generation n as `previous`. Throws
/// Error(corrupt) unless signature, slot and repository agree with it.
[[nodiscard]] KeyBundle open_next_generation(const UnlockSecret& secret, const SlotHeader& first,
                                             const KeyBundle& previous, ByteView slot);

}  // namespace walden::crypto
