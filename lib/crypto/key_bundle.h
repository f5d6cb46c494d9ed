// What a holder of a key may do with a repository.
//
//   put bundle   for a database host: archives one cluster, compares content ids, reads entries.
//                Cannot open contents.
//   read bundle  everything: all clusters, all epochs, and the right to add and rotate keys.
//
// Byte format (little endian), sealed inside a key slot (key_slot.h):
//   u16 version = 1 | u8 kind | repository id (16) | admin public key (32) | u32 epoch count
//   per epoch: u32 number | public key (32) | psk (32) | secret key (32, read only)
//   put:  u16 n | cluster name | content id key (32) | metadata key (32)
//   read: root (32) | admin secret key (32)
//
// Keys of a cluster: HKDF-Expand(root, "walden/v1/content-id" or "walden/v1/metadata" | 0x00 |
// cluster name). The root outlives rotation: a content keeps its id.
#pragma once

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/hpke.h"
#include "crypto/signature.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::crypto {

using RepositoryId = std::array<std::byte, 16>;

enum class BundleKind : std::uint8_t { put = 1, read = 2 };

[[nodiscard]] std::string_view to_string(BundleKind kind);

/// The keys that new objects are sealed to. Rotation adds an epoch; old ones stay readable.
struct KeyEpoch {
    std::uint32_t number = 0;  ///< from 1
    X25519PublicKey public_key{};
    Secret<32> psk;
    std::optional<X25519SecretKey> secret_key;  ///< only in a read bundle
};

/// The symmetric keys of one cluster.
struct ClusterKeys {
    Secret<32> content_id_key;
    Secret<32> metadata_key;  ///< entries and claims are sealed with keys derived from it
};

class KeyBundle {
public:
    /// A fresh read bundle with epoch 1.
    [[nodiscard]] static KeyBundle create(const RepositoryId& repository);

    /// Throws Error(corrupt) for bytes that are not a bundle, Error(usage) for a newer version. In
    /// a read bundle each secret key is checked against its public key: a mismatch would be found
    /// on the day of the restore.
    [[nodiscard]] static KeyBundle decode(ByteView bytes);

    /// The caller zeroes the result.
    [[nodiscard]] Bytes encode() const;

    /// The put bundle for `cluster` (1 to 255 bytes without control characters). Only a read bundle
    /// can make one: else Error(usage).
    [[nodiscard]] KeyBundle make_put_bundle(const std::string& cluster) const;

    /// This bundle (read) with one more epoch and a new admin key. Error(usage) for a put bundle.
    /// Store it in a slot of its own holder before anyone else gets it: what a put bundle seals to
    /// an epoch whose secret key is lost cannot be read again.
    [[nodiscard]] KeyBundle rotate() const;

    [[nodiscard]] BundleKind kind() const { return kind_; }

    [[nodiscard]] const RepositoryId& repository() const { return repository_; }

    /// The cluster a put bundle is for; empty for a read bundle.
    [[nodiscard]] const std::string& cluster() const { return cluster_; }

    /// Throws Error(usage) if this is a put bundle of another cluster.
    [[nodiscard]] ClusterKeys keys_of_cluster(std::string_view cluster) const;

    /// The newest: what new objects are sealed to.
    [[nodiscard]] const KeyEpoch& current_epoch() const { return epochs_.back(); }

    /// nullptr if there is none of that number.
    [[nodiscard]] const KeyEpoch* find_epoch(std::uint32_t number) const;

    [[nodiscard]] const std::vector<KeyEpoch>& epochs() const { return epochs_; }

    [[nodiscard]] const Ed25519PublicKey& admin_public_key() const { return admin_public_key_; }

    /// Error(usage) for a put bundle.
    [[nodiscard]] const Ed25519SecretKey& admin_secret_key() const;

private:
    KeyBundle() = default;

    [[nodiscard]] std::size_t encoded_size() const;
    void decode_put_part(ByteReader& reader);
    void decode_read_part(ByteReader& reader);
    void require_read(std::string_view action) const;
    void add_epoch(std::uint32_t number);

    BundleKind kind_ = BundleKind::put;
    RepositoryId repository_{};
    Ed25519PublicKey admin_public_key_{};
    std::vector<KeyEpoch> epochs_;
    std::string cluster_;                               // put
    std::optional<ClusterKeys> cluster_keys_;           // put
    std::optional<Secret<32>> root_;                    // read
    std::optional<Ed25519SecretKey> admin_secret_key_;  // read
};

}  // namespace walden::crypto
