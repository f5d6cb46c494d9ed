// Key slots: a key bundle wrapped for one holder, stored in the repository as
// keys/<slot id>.<generation>, created once, never changed.
//
// The holder has an unlock secret (a key file, a passphrase, ...) from which
//   unlock key  = the 32 secret bytes, or scrypt(passphrase, salt, cost)
//   wrap key    = HKDF-Expand(unlock key, "walden/v1/slot-wrap")
//   slot secret = X25519 key pair derived from HKDF-Expand(unlock key, "walden/v1/slot")
// Generation 1 is wrapped with AES-256-GCM under the wrap key: only somebody who has the unlock
// secret can have made it. Rotation must re-wrap for holders who are not there, so later
// generations are sealed with HPKE (mode base, info "walden/v1/slot") to the slot's public key and
// handed over: signed with the admin key that the previous generation names. Whoever writes to the
// store can hide a slot, but cannot make a holder believe in another bundle.
//
// The other direction needs proof as well: a rotation seals the new keys to the public keys it
// finds in the store, and whoever can write there could have added a slot of their own. So every
// generation is endorsed: signed with the admin key of the bundle it wraps. A rotation hands over
// only what its own current admin key endorses; after it, slots that a leaked older admin key
// could have signed are worth nothing.
//
// The slot public key also commits a slot to one unlock key, which AES-GCM alone does not.
//
//   magic "WALDENKS" (8) | u16 version = 1 | u8 wrapping (1 unlock key, 2 sealed)
//   u8 bundle kind | u8 source (1 random key, 2 passphrase) | 3 zero | slot id (16)
//   u32 generation | i64 created (Unix seconds, a label) | repository id (16)
//   scrypt: u64 n | u32 r | u32 p | salt (32)          zero for a random key
//   slot public key (32) | u16 n | label | u16 n | cluster ("" for read)
//   u32 size | wrapped bundle      wrapping 1: nonce (12) | ciphertext | tag (16), aad = all before
//                                  wrapping 2: encapsulated key (32) | ciphertext, aad likewise
//   wrapping 2: handover signature (64) by the previous generation's admin key,
//               over "walden/v1/slot-handover" | 0x00 | all before
//   endorsement signature (64) by the wrapped bundle's admin key,
//               over "walden/v1/slot-endorsement" | 0x00 | all before
//   u32 CRC-32C of all before          tells rot from a wrong key
//
// Magic and CRC keep their places in all versions, so that damage is not taken for a new version.
// Generation 1 has wrapping 1 and all others wrapping 2. Label and cluster are at most 255 bytes
// without control characters: they are shown on terminals, and the store may be hostile.
#pragma once

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/kdf.h"
#include "crypto/key_bundle.h"
#include "crypto/unlock_secret.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace walden::crypto {

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

struct NewSlot {
    std::string label;
    std::int64_t created = 0;
    ScryptCost scrypt_cost;  ///< tests use a cheap one
    std::string cluster;     ///< wraps the put bundle of this cluster; empty: the read bundle
};

/// Generation 1 of a slot for `secret`. The slot id is the random key's, or fresh. `admin` is a
/// read bundle, else Error(usage); it, or the put bundle it makes for `options.cluster`, is
/// wrapped.
[[nodiscard]] Bytes make_slot(const UnlockSecret& secret, const KeyBundle& admin,
                              const NewSlot& options);

/// The next generation of the slot whose latest generation is `latest`, made without the slot's
/// secret. `previous` is the read bundle whose admin key endorses `latest`, else Error(denied):
/// somebody else made that slot, and must not get the new keys. `next` is the read bundle to move
/// to (previous.rotate()); a slot of a cluster gets the put bundle that `next` makes for it.
/// After an interrupted rotation, call it again with the same two bundles (both are in the chain
/// of the holder's own slot).
[[nodiscard]] Bytes make_next_generation(ByteView latest, const KeyBundle& previous,
                                         const KeyBundle& next);

/// Throws Error(corrupt) for bytes that are not a whole slot, Error(usage) for a newer version.
/// Nothing in the header is proven until the slot was opened, or found endorsed.
[[nodiscard]] SlotHeader read_slot_header(ByteView slot);

/// True if the holder of the secret key of `admin` made this slot. Throws as read_slot_header.
[[nodiscard]] bool is_slot_endorsed(ByteView slot, const Ed25519PublicKey& admin);

/// Opens generations 1 to n of one slot, given in that order, paying for scrypt once. One bundle
/// per generation, the last one is in force. nullopt if the secret is not this slot's. Throws
/// Error(corrupt) for damage, and unless signatures, slot, generation, repository and epochs of
/// each generation agree with the one before. The caller compares the bundles' repository with the
/// one it is in.
[[nodiscard]] std::optional<std::vector<KeyBundle>> open_slot_chain(
    const UnlockSecret& secret, std::span<const Bytes> generations);

}  // namespace walden::crypto
