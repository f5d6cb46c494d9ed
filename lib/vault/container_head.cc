#include "vault/container_head.h"

#include "base/error.h"
#include "base/format.h"
#include "base/hash.h"
#include "base/random.h"
#include "crypto/hpke.h"
#include "crypto/kdf.h"

#include <cassert>
#include <utility>

namespace walden::vault::container {

namespace {

constexpr std::string_view head_magic = "WALDENO1";
constexpr std::string_view tail_magic = "1ONEDLAW";
constexpr std::uint8_t format_version = 1;
constexpr std::size_t sealed_record_size = 80;
constexpr std::size_t derived_record_size = 32;
constexpr std::uint8_t frame_size_log2 = 18;
static_assert(frame_size == std::size_t{1} << frame_size_log2);
constexpr std::uint64_t object_size_max = std::uint64_t{64} << 20;
constexpr std::size_t sealed_aad_size = 56;

std::array<std::byte, 16> name_hash(std::string_view key) {
    const auto whole = crypto::sha256(as_bytes(key));
    std::array<std::byte, 16> half{};
    std::copy_n(whole.begin(), half.size(), half.begin());
    return half;
}

Secret<32> derived_object_key(const ClusterKeyring& keys, ByteView salt, ObjectKind kind) {
    Bytes info = to_bytes(as_bytes("walden/v1/object"));
    append(info, salt);
    append(info, keys.repository());
    info.push_back(static_cast<std::byte>(kind));
    Secret<32> key;
    crypto::hkdf_expand(keys.metadata_key().view(), info, key.writable());
    return key;
}

/// The inputs of HPKE that bind a sealed object key to repository, epoch and kind.
struct SealBinding {
    Bytes info;
    Bytes psk_id;

    SealBinding(const ClusterKeyring& keys, std::uint32_t epoch, ObjectKind kind) {
        ByteWriter info_writer(info);
        info_writer.write_bytes(as_bytes("walden/v1/seal"));
        info_writer.write_bytes(keys.repository());
        info_writer.write(epoch);
        info_writer.write(static_cast<std::uint8_t>(kind));
        ByteWriter id_writer(psk_id);
        id_writer.write_bytes(as_bytes("walden/v1/psk"));
        id_writer.write(epoch);
    }

    [[nodiscard]] crypto::HpkeContext context(const crypto::KeyEpoch& epoch, ByteView aad) const {
        return {.info = info, .psk = epoch.psk.view(), .psk_id = psk_id, .aad = aad};
    }
};

struct Keys {
    Secret<32> frame_key;
    Secret<32> commitment;

    explicit Keys(const Secret<32>& object_key)
        : frame_key(crypto::derive_key(object_key, "walden/v1/frames")),
          commitment(crypto::derive_key(object_key, "walden/v1/commit")) {}
};

/// Called when the checksum beside the version is right: a flipped bit must not read as "upgrade".
void require_version(unsigned version) {
    if (version == format_version) return;
    if (version == 0) fail_corrupt("object has format version 0");
    throw Error(
        ErrorKind::usage,
        format("object format {} is newer than this version of walden understands", version))
        .with_hint("Upgrade walden on this host.");
}

Secret<32> find_object_key(const ClusterKeyring& keys, const Header& header, ByteView head) {
    const ByteView record = head.subspan(header_size, record_size_of(header.method));
    if (header.method == KeyMethod::derived)
        return derived_object_key(keys, record, header.clear.kind);

    const crypto::KeyEpoch* epoch = keys.bundle()->find_epoch(header.clear.epoch);
    if (epoch == nullptr)
        throw Error(ErrorKind::usage,
                    format("object is sealed to key epoch {}, which this key does not know",
                           header.clear.epoch))
            .with_hint("The repository's keys were rotated, and this key was left out of it.");
    if (!epoch->secret_key)
        throw Error(ErrorKind::usage, "the key on this host can archive but not read")
            .with_hint("Use a key with the read bundle; \"walden keys list\" shows them.");
    const SealBinding binding(keys, header.clear.epoch, header.clear.kind);
    auto opened =
        crypto::hpke_open(*epoch->secret_key, binding.context(*epoch, head.first(sealed_aad_size)),
                          record.first(32), record.subspan(32));
    if (!opened || opened->size() != Secret<32>::size)
        fail_corrupt("key of the object does not open: forged, or from another repository");
    const ZeroOnExit zero(*opened);
    return Secret<32>(std::span<const std::byte, 32>(opened->data(), 32));
}

}  // namespace

KeyMethod key_method_of(crypto::Suite suite, ObjectKind kind) {
    if (suite == crypto::Suite::none) return KeyMethod::none;
    return kind == ObjectKind::content || kind == ObjectKind::pack ? KeyMethod::sealed
                                                                   : KeyMethod::derived;
}

std::size_t record_size_of(KeyMethod method) {
    switch (method) {
        case KeyMethod::none: return 0;
        case KeyMethod::sealed: return sealed_record_size;
        case KeyMethod::derived: return derived_record_size;
    }
    return 0;
}

std::uint32_t frame_count_of(std::uint64_t encoded_size) {
    return static_cast<std::uint32_t>((encoded_size + frame_size - 1) / frame_size);
}

std::uint64_t object_size_of(std::uint64_t head_size, std::uint64_t encoded_size) {
    return head_size + encoded_size + frame_count_of(encoded_size) * crypto::tag_size + tail_size;
}

std::size_t head_size_of(const ClusterKeyring& keys, ObjectKind kind) {
    return header_size + record_size_of(key_method_of(keys.suite(), kind));
}

void fail_corrupt(std::string what) {
    throw Error(ErrorKind::corrupt, std::move(what));
}

crypto::FrameCipher write_head(const ClusterKeyring& keys, ObjectPlace place, Bytes& out) {
    const KeyMethod method = key_method_of(keys.suite(), place.kind);
    assert(out.empty());
    const std::uint32_t epoch =
        method == KeyMethod::sealed ? keys.bundle()->current_epoch().number : 0;
    const auto size = static_cast<std::uint32_t>(header_size + record_size_of(method));

    ByteWriter writer(out);
    writer.write_bytes(as_bytes(head_magic));
    writer.write(format_version);
    writer.write(static_cast<std::uint8_t>(place.kind));
    writer.write(static_cast<std::uint8_t>(keys.suite()));
    writer.write(static_cast<std::uint8_t>(method));
    writer.write(static_cast<std::uint8_t>(keys.content_id_key().has_value() ? 1 : 0));
    writer.write(frame_size_log2);
    writer.write(std::uint16_t{0});
    writer.write_bytes(keys.repository());
    writer.write_bytes(name_hash(place.key));
    writer.write(epoch);
    writer.write(static_cast<std::uint32_t>(method == KeyMethod::none ? 0 : 1));
    assert(out.size() == sealed_aad_size);

    Secret<32> object_key;
    Bytes record;
    if (method == KeyMethod::sealed) {
        fill_random(object_key.writable());
        const crypto::KeyEpoch& current = keys.bundle()->current_epoch();
        const SealBinding binding(keys, epoch, place.kind);
        const crypto::HpkeSealed sealed = crypto::hpke_seal(
            current.public_key, binding.context(current, ByteView(out)), object_key.view());
        append(record, sealed.encapsulated_key);
        append(record, sealed.ciphertext);
    } else if (method == KeyMethod::derived) {
        append(record, random_array<derived_record_size>());
        object_key = derived_object_key(keys, record, place.kind);
    }
    assert(record.size() == record_size_of(method));

    const Keys derived(object_key);
    if (method == KeyMethod::none) {
        out.resize(out.size() + 32, std::byte{0});
    } else {
        writer.write_bytes(derived.commitment.view());
    }
    out.resize(out.size() + 32, std::byte{0});
    writer.write(size);
    writer.write(crc32c(out));
    assert(out.size() == header_size);
    append(out, record);
    return {keys.suite(), derived.frame_key,
            crypto::sha256(ByteView(out).first(authenticated_header_size))};
}

void write_tail(const Ending& ending, crypto::FrameCipher& cipher, Bytes& out) {
    const std::uint32_t frames = frame_count_of(ending.encoded_size);
    Bytes footer;
    ByteWriter footer_writer(footer);
    footer_writer.write_bytes(ending.content_id.bytes);
    footer_writer.write(ending.plain_size);
    footer_writer.write(ending.encoded_size);
    footer_writer.write(frames);
    footer_writer.write(static_cast<std::uint8_t>(ending.codec));
    footer.resize(footer_size, std::byte{0});
    const std::size_t footer_at = out.size();
    out.resize(footer_at + footer_size + crypto::tag_size);
    cipher.seal({.stream = 1, .frame = frames, .is_last = true}, footer,
                MutableByteView(out).subspan(footer_at));

    Bytes trailer;
    ByteWriter writer(trailer);
    writer.write(ending.encoded_size);
    writer.write(ending.plain_size);
    writer.write(frames);
    writer.write(std::uint32_t{format_version});
    writer.write(xxh3_64(out));
    writer.write(std::uint32_t{0});
    writer.write(crc32c(trailer));
    writer.write_bytes(as_bytes(tail_magic));
    append(out, trailer);
}

Header parse_header(ByteView head) {
    if (head.size() < header_size)
        fail_corrupt(format("object has only {} bytes: truncated", head.size()));
    ByteReader reader(head.first(header_size));
    if (as_text(reader.read_bytes(head_magic.size())) != head_magic)
        fail_corrupt("object is damaged: it does not begin as a walden object");
    if (load_le<std::uint32_t>(head.data() + authenticated_header_size) !=
        crc32c(head.first(authenticated_header_size)))
        fail_corrupt("checksum of the object's header does not match");
    require_version(reader.read<std::uint8_t>());

    Header header;
    const auto kind = reader.read<std::uint8_t>();
    const auto suite = reader.read<std::uint8_t>();
    const auto method = reader.read<std::uint8_t>();
    const auto hash = reader.read<std::uint8_t>();
    const auto frame_log2 = reader.read<std::uint8_t>();
    const auto zero = reader.read<std::uint16_t>();
    header.repository = reader.read_array<16>();
    header.name = reader.read_array<16>();
    header.clear.epoch = reader.read<std::uint32_t>();
    const auto records = reader.read<std::uint32_t>();
    header.commitment = reader.read_array<32>();
    reader.read_bytes(32);
    header.clear.header_size = reader.read<std::uint32_t>();

    if (kind < 1 || kind > 7 || suite > 1 || method > 2 || hash > 1 || zero != 0 ||
        frame_log2 != frame_size_log2)
        fail_corrupt("header of the object has impossible fields");
    header.clear.kind = static_cast<ObjectKind>(kind);
    header.clear.suite = static_cast<crypto::Suite>(suite);
    header.method = static_cast<KeyMethod>(method);
    const bool consistent = header.method == key_method_of(header.clear.suite, header.clear.kind) &&
                            records == (header.method == KeyMethod::none ? 0u : 1u) &&
                            hash == (header.clear.suite == crypto::Suite::none ? 0u : 1u) &&
                            header.clear.header_size == header_size + record_size_of(header.method);
    if (!consistent) fail_corrupt("header of the object contradicts itself");
    return header;
}

void parse_trailer(ByteView object, ContainerHeader& clear) {
    const ByteView trailer = object.last(trailer_size);
    ByteReader reader(trailer);
    clear.encoded_size = reader.read<std::uint64_t>();
    clear.plain_size = reader.read<std::uint64_t>();
    clear.frame_count = reader.read<std::uint32_t>();
    const auto version = reader.read<std::uint32_t>();
    const auto checksum = reader.read<std::uint64_t>();
    reader.read<std::uint32_t>();
    const auto crc = reader.read<std::uint32_t>();
    if (as_text(reader.read_bytes(tail_magic.size())) != tail_magic)
        fail_corrupt(format("object of {} bytes does not end as a walden object: truncated?",
                            object.size()));
    if (crc != crc32c(trailer.first(36)))
        fail_corrupt("checksum of the object's trailer does not match");
    require_version(version);
    if (clear.encoded_size > object_size_max || clear.plain_size > object_size_max ||
        clear.frame_count != frame_count_of(clear.encoded_size) ||
        object.size() != object_size_of(clear.header_size, clear.encoded_size))
        fail_corrupt(format("object has {} bytes, its trailer speaks of {} encoded", object.size(),
                            clear.encoded_size));
    if (checksum != xxh3_64(object.first(object.size() - trailer_size)))
        fail_corrupt("checksum of the object does not match: bytes changed in the store");
}

void require_place(const Header& header, const crypto::RepositoryId& repository,
                   ObjectPlace place) {
    if (header.repository != repository)
        throw Error(ErrorKind::foreign, format("object belongs to repository {}, not to {}",
                                               to_hex(header.repository), to_hex(repository)));
    if (header.clear.kind != place.kind)
        fail_corrupt(format("object is of kind {}, expected {}", to_string(header.clear.kind),
                            to_string(place.kind)));
    if (header.name != name_hash(place.key))
        fail_corrupt("object was stored under another name: moved or swapped");
}

crypto::FrameCipher open_head(const ClusterKeyring& keys, const Header& header, ByteView head) {
    if (header.clear.suite != keys.suite())
        fail_corrupt(keys.suite() == crypto::Suite::none
                         ? "object is encrypted, the repository is not"
                         : "object is not encrypted, the repository is");
    Secret<32> frame_key;
    if (header.method != KeyMethod::none) {
        const Keys derived(find_object_key(keys, header, head));
        if (!crypto::equal_in_constant_time(derived.commitment.view(), header.commitment))
            fail_corrupt("key of the object does not match its commitment: forged, or a wrong key");
        frame_key = derived.frame_key;
    }
    return {header.clear.suite, frame_key, crypto::sha256(head.first(authenticated_header_size))};
}

}  // namespace walden::vault::container
