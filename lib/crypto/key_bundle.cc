#include "crypto/key_bundle.h"

#include "base/error.h"
#include "base/format.h"
#include "base/random.h"
#include "crypto/kdf.h"
#include "crypto/label.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace walden::crypto {

namespace {

constexpr std::uint16_t bundle_version = 1;
constexpr std::size_t fixed_size = 2 + 1 + 16 + 32 + 4;
constexpr std::size_t public_epoch_size = 4 + 32 + 32;

[[noreturn]] void fail_corrupt(std::string_view problem) {
    throw Error(ErrorKind::corrupt, format("key bundle {}", problem));
}

/// The next 32 bytes, without a copy on the way that nobody would zero. Zero if there are fewer;
/// the reader remembers that.
Secret<32> read_secret(ByteReader& reader) {
    Secret<32> secret;
    const ByteView bytes = reader.read_bytes(secret.size);
    std::copy(bytes.begin(), bytes.end(), secret.writable().begin());
    return secret;
}

void require_whole(const ByteReader& reader) {
    if (!reader.ok()) fail_corrupt("is cut off");
}

Secret<32> derive_cluster_key(const Secret<32>& root, std::string_view purpose,
                              std::string_view cluster) {
    std::string label(purpose);
    label += '\0';
    label += cluster;
    return derive_key(root, label);
}

KeyEpoch read_epoch(ByteReader& reader, BundleKind kind) {
    KeyEpoch epoch;
    epoch.number = reader.read<std::uint32_t>();
    epoch.public_key = reader.read_array<32>();
    epoch.psk = read_secret(reader);
    if (kind == BundleKind::read) epoch.secret_key = read_secret(reader);
    return epoch;
}

std::vector<KeyEpoch> read_epochs(ByteReader& reader, BundleKind kind) {
    const std::uint32_t count = reader.read<std::uint32_t>();
    const std::size_t size = public_epoch_size + (kind == BundleKind::read ? 32 : 0);
    require_whole(reader);
    if (count > reader.remaining() / size) fail_corrupt("is cut off");
    if (count == 0) fail_corrupt("has no epoch");
    std::vector<KeyEpoch> epochs;
    epochs.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        epochs.push_back(read_epoch(reader, kind));
        const std::uint32_t number_before = i == 0 ? 0 : epochs[i - 1].number;
        if (epochs.back().number <= number_before) fail_corrupt("has epochs out of order");
    }
    return epochs;
}

}  // namespace

std::string_view to_string(BundleKind kind) {
    switch (kind) {
        case BundleKind::put: return "put";
        case BundleKind::read: return "read";
    }
    return "unknown";
}

KeyBundle KeyBundle::create(const RepositoryId& repository) {
    KeyBundle bundle;
    bundle.kind_ = BundleKind::read;
    bundle.repository_ = repository;
    fill_random(bundle.root_.emplace().writable());
    const Ed25519KeyPair admin = make_ed25519_key_pair();
    bundle.admin_public_key_ = admin.public_key;
    bundle.admin_secret_key_ = admin.secret_key;
    bundle.add_epoch(1);
    return bundle;
}

void KeyBundle::add_epoch(std::uint32_t number) {
    const X25519KeyPair pair = make_x25519_key_pair();
    KeyEpoch epoch;
    epoch.number = number;
    epoch.public_key = pair.public_key;
    epoch.secret_key = pair.secret_key;
    fill_random(epoch.psk.writable());
    epochs_.push_back(std::move(epoch));
}

KeyBundle KeyBundle::decode(ByteView bytes) {
    ByteReader reader(bytes);
    const std::uint16_t version = reader.read<std::uint16_t>();
    if (reader.ok() && version > bundle_version)
        throw Error(ErrorKind::usage,
                    format("key bundle has version {}, newer than {}", version, bundle_version))
            .with_hint("Use a newer walden.");
    if (version != bundle_version) fail_corrupt("has no version");
    const std::uint8_t kind = reader.read<std::uint8_t>();
    KeyBundle bundle;
    bundle.repository_ = reader.read_array<16>();
    bundle.admin_public_key_ = reader.read_array<32>();
    require_whole(reader);
    if (kind != static_cast<std::uint8_t>(BundleKind::put) &&
        kind != static_cast<std::uint8_t>(BundleKind::read))
        fail_corrupt("is of an unknown kind");
    bundle.kind_ = static_cast<BundleKind>(kind);
    bundle.epochs_ = read_epochs(reader, bundle.kind_);
    if (bundle.kind_ == BundleKind::put)
        bundle.decode_put_part(reader);
    else
        bundle.decode_read_part(reader);
    return bundle;
}

void KeyBundle::decode_put_part(ByteReader& reader) {
    cluster_ = reader.read_text();
    cluster_keys_.emplace(
        ClusterKeys{.content_id_key = read_secret(reader), .metadata_key = read_secret(reader)});
    require_whole(reader);
    if (reader.remaining() != 0) fail_corrupt("goes on after its end");
    if (cluster_.empty() || !is_label(cluster_)) fail_corrupt("has an invalid cluster name");
}

void KeyBundle::decode_read_part(ByteReader& reader) {
    root_ = read_secret(reader);
    admin_secret_key_ = read_secret(reader);
    require_whole(reader);
    if (reader.remaining() != 0) fail_corrupt("goes on after its end");
    if (ed25519_public_key(*admin_secret_key_) != admin_public_key_)
        fail_corrupt("has an admin key whose halves do not fit");
    for (const KeyEpoch& epoch : epochs_)
        if (x25519_public_key(*epoch.secret_key) != epoch.public_key)
            fail_corrupt("has an epoch key whose halves do not fit");
}

std::size_t KeyBundle::encoded_size() const {
    const bool is_put = kind_ == BundleKind::put;
    return fixed_size + epochs_.size() * (public_epoch_size + (is_put ? 0 : 32)) +
           (is_put ? 2 + cluster_.size() : 0) + 32 + 32;
}

Bytes KeyBundle::encode() const {
    Bytes bytes;
    bytes.reserve(encoded_size());  // growing would leave copies of secrets behind
    ByteWriter writer(bytes);
    writer.write(bundle_version);
    writer.write(static_cast<std::uint8_t>(kind_));
    writer.write_bytes(repository_);
    writer.write_bytes(admin_public_key_);
    writer.write(static_cast<std::uint32_t>(epochs_.size()));
    for (const KeyEpoch& epoch : epochs_) {
        writer.write(epoch.number);
        writer.write_bytes(epoch.public_key);
        writer.write_bytes(epoch.psk.view());
        if (kind_ == BundleKind::read) writer.write_bytes(epoch.secret_key->view());
    }
    if (kind_ == BundleKind::put) {
        writer.write_text(cluster_);
        writer.write_bytes(cluster_keys_->content_id_key.view());
        writer.write_bytes(cluster_keys_->metadata_key.view());
    } else {
        writer.write_bytes(root_->view());
        writer.write_bytes(admin_secret_key_->view());
    }
    assert(bytes.size() == encoded_size());
    return bytes;
}

void KeyBundle::require_read(std::string_view action) const {
    if (kind_ == BundleKind::read) return;
    throw Error(ErrorKind::usage, format("a put bundle cannot {}", action))
        .with_hint("Unlock the repository with a key that may read it.");
}

KeyBundle KeyBundle::make_put_bundle(const std::string& cluster) const {
    require_read("make put bundles");
    if (cluster.empty() || !is_label(cluster))
        throw Error(ErrorKind::usage, "the cluster name must be 1 to 255 bytes of printable text");
    KeyBundle put;
    put.kind_ = BundleKind::put;
    put.repository_ = repository_;
    put.admin_public_key_ = admin_public_key_;
    put.cluster_ = cluster;
    put.cluster_keys_ = keys_of_cluster(cluster);
    put.epochs_.reserve(epochs_.size());
    for (const KeyEpoch& epoch : epochs_) {
        KeyEpoch& copy = put.epochs_.emplace_back();
        copy.number = epoch.number;
        copy.public_key = epoch.public_key;
        copy.psk = epoch.psk;
    }
    return put;
}

KeyBundle KeyBundle::rotate() const {
    require_read("rotate keys");
    if (current_epoch().number == std::numeric_limits<std::uint32_t>::max())
        throw Error(ErrorKind::usage, "there are no more epoch numbers");
    KeyBundle rotated = *this;
    rotated.add_epoch(current_epoch().number + 1);
    const Ed25519KeyPair admin = make_ed25519_key_pair();
    rotated.admin_public_key_ = admin.public_key;
    rotated.admin_secret_key_ = admin.secret_key;
    return rotated;
}

ClusterKeys KeyBundle::keys_of_cluster(std::string_view cluster) const {
    if (kind_ == BundleKind::read)
        return {.content_id_key = derive_cluster_key(*root_, "walden/v1/content-id", cluster),
                .metadata_key = derive_cluster_key(*root_, "walden/v1/metadata", cluster)};
    if (cluster != cluster_)
        throw Error(ErrorKind::usage,
                    format("the key is for cluster \"{}\", not for \"{}\"", cluster_, cluster));
    return *cluster_keys_;
}

const KeyEpoch* KeyBundle::find_epoch(std::uint32_t number) const {
    const auto found = std::find_if(epochs_.begin(), epochs_.end(),
                                    [number](const KeyEpoch& e) { return e.number == number; });
    return found == epochs_.end() ? nullptr : &*found;
}

const Ed25519SecretKey& KeyBundle::admin_secret_key() const {
    require_read("sign as admin");
    return *admin_secret_key_;
}

}  // namespace walden::crypto
