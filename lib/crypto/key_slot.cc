#include "crypto/key_slot.h"

#include "base/error.h"
#include "base/format.h"
#include "base/hash.h"
#include "base/random.h"
#include "crypto/aead.h"
#include "crypto/hpke.h"
#include "crypto/label.h"
#include "crypto/signature.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace walden::crypto {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view magic = "WALDENKS";
constexpr std::uint16_t slot_version = 1;
constexpr std::size_t signature_size = sizeof(Ed25519Signature);
constexpr std::size_t crc_size = 4;

enum class Wrapping : std::uint8_t { unlock_key = 1, sealed = 2 };

/// What each signature of a slot says. The labels keep one from passing for the other.
constexpr std::string_view handover_label = "walden/v1/slot-handover\0"sv;
constexpr std::string_view endorsement_label = "walden/v1/slot-endorsement\0"sv;

[[noreturn]] void fail_corrupt(std::string_view problem) {
    throw Error(ErrorKind::corrupt, format("key slot {}", problem));
}

Wrapping wrapping_of(std::uint32_t generation) {
    return generation == 1 ? Wrapping::unlock_key : Wrapping::sealed;
}

std::size_t wrapping_overhead(Wrapping wrapping) {
    return (wrapping == Wrapping::unlock_key ? sizeof(Nonce) : sizeof(X25519PublicKey)) + tag_size;
}

Bytes signed_message(std::string_view label, ByteView what) {
    Bytes message = to_bytes(as_bytes(label));
    append(message, what);
    return message;
}

/// A slot taken apart; views into its bytes.
struct SlotParts {
    SlotHeader header;
    ByteView aad;          ///< all before the wrapped bundle
    ByteView wrapped;      ///< the wrapped bundle
    ByteView handover;     ///< signature of the previous admin key; empty in generation 1
    ByteView endorsement;  ///< signature of the wrapped bundle's admin key
    ByteView handed_over;  ///< what the first one signs, without its label
    ByteView endorsed;     ///< what the second one signs, without its label
};

/// Magic and CRC, then the version: in this order rot is never called a newer version.
void check_envelope(ByteView slot) {
    if (slot.size() < magic.size() + sizeof(slot_version) + crc_size) fail_corrupt("is cut off");
    if (as_text(slot.first(magic.size())) != magic) fail_corrupt("does not begin like one");
    const std::size_t body_size = slot.size() - crc_size;
    if (crc32c(slot.first(body_size)) != load_le<std::uint32_t>(&slot[body_size]))
        fail_corrupt("fails its checksum");
    const auto version = load_le<std::uint16_t>(&slot[magic.size()]);
    if (version > slot_version)
        throw Error(ErrorKind::usage,
                    format("key slot has version {}, newer than {}", version, slot_version))
            .with_hint("Use a newer walden.");
    if (version != slot_version) fail_corrupt("has no version");
}

BundleKind parse_kind(std::uint8_t kind) {
    if (kind != static_cast<std::uint8_t>(BundleKind::put) &&
        kind != static_cast<std::uint8_t>(BundleKind::read))
        fail_corrupt("wraps an unknown kind of bundle");
    return static_cast<BundleKind>(kind);
}

SlotSource parse_source(std::uint8_t source) {
    if (source != static_cast<std::uint8_t>(SlotSource::random_key) &&
        source != static_cast<std::uint8_t>(SlotSource::passphrase))
        fail_corrupt("has an unknown source");
    return static_cast<SlotSource>(source);
}

/// Reads all fields up to the size of the wrapped bundle.
SlotHeader parse_header(ByteReader& reader) {
    reader.read_bytes(magic.size() + sizeof(slot_version));
    const auto wrapping = reader.read<std::uint8_t>();
    SlotHeader header;
    header.bundle = parse_kind(reader.read<std::uint8_t>());
    header.source = parse_source(reader.read<std::uint8_t>());
    const ByteView zero = reader.read_bytes(3);
    header.id = reader.read_array<16>();
    header.generation = reader.read<std::uint32_t>();
    header.created = static_cast<std::int64_t>(reader.read<std::uint64_t>());
    header.repository = reader.read_array<16>();
    header.scrypt_cost.n = reader.read<std::uint64_t>();
    header.scrypt_cost.r = reader.read<std::uint32_t>();
    header.scrypt_cost.p = reader.read<std::uint32_t>();
    header.scrypt_salt = reader.read_array<32>();
    header.public_key = reader.read_array<32>();
    header.label = reader.read_text();
    header.cluster = reader.read_text();
    if (!reader.ok()) fail_corrupt("is cut off");
    if (std::any_of(zero.begin(), zero.end(), [](std::byte b) { return b != std::byte{0}; }))
        fail_corrupt("has a value where zero belongs");
    if (header.generation == 0 ||
        wrapping != static_cast<std::uint8_t>(wrapping_of(header.generation)))
        fail_corrupt("has a wrapping that its generation does not have");
    return header;
}

void check_header(const SlotHeader& header) {
    if (!is_label(header.label) || !is_label(header.cluster))
        fail_corrupt("has an unprintable label or cluster name");
    if (header.cluster.empty() != (header.bundle == BundleKind::read))
        fail_corrupt("has a cluster name that its kind does not have");
    if (header.source == SlotSource::passphrase) {
        if (!is_acceptable(header.scrypt_cost))
            fail_corrupt("asks for an unacceptable scrypt cost");
        return;
    }
    if (header.scrypt_cost.n != 0 || header.scrypt_cost.r != 0 || header.scrypt_cost.p != 0 ||
        header.scrypt_salt != std::array<std::byte, 32>{})
        fail_corrupt("has scrypt parameters without a passphrase");
}

SlotParts parse_slot(ByteView slot) {
    check_envelope(slot);
    ByteReader reader(slot.first(slot.size() - crc_size));
    SlotParts parts;
    parts.header = parse_header(reader);
    check_header(parts.header);
    const auto wrapped_size = reader.read<std::uint32_t>();
    if (!reader.ok()) fail_corrupt("is cut off");
    const Wrapping wrapping = wrapping_of(parts.header.generation);
    const std::size_t handover_size = wrapping == Wrapping::sealed ? signature_size : 0;
    if (wrapped_size < wrapping_overhead(wrapping) ||
        reader.remaining() != std::size_t{wrapped_size} + handover_size + signature_size)
        fail_corrupt("has sizes that do not add up");
    const std::size_t aad_size = slot.size() - crc_size - reader.remaining();
    parts.aad = slot.first(aad_size);
    parts.wrapped = reader.read_bytes(wrapped_size);
    parts.handed_over = slot.first(aad_size + wrapped_size);
    parts.handover = reader.read_bytes(handover_size);
    parts.endorsed = slot.first(aad_size + wrapped_size + handover_size);
    parts.endorsement = reader.read_bytes(signature_size);
    return parts;
}

bool is_endorsed_by(const SlotParts& parts, const Ed25519PublicKey& admin) {
    return verify_signature(admin, signed_message(endorsement_label, parts.endorsed),
                            parts.endorsement);
}

/// The slot up to and with the size of the wrapped bundle, which is the aad of the wrapping.
Bytes encode_header(const SlotHeader& header, std::size_t bundle_size) {
    const Wrapping wrapping = wrapping_of(header.generation);
    Bytes slot;
    ByteWriter writer(slot);
    writer.write_bytes(as_bytes(magic));
    writer.write(slot_version);
    writer.write(static_cast<std::uint8_t>(wrapping));
    writer.write(static_cast<std::uint8_t>(header.bundle));
    writer.write(static_cast<std::uint8_t>(header.source));
    writer.write_bytes(std::array<std::byte, 3>{});
    writer.write_bytes(header.id);
    writer.write(header.generation);
    writer.write(static_cast<std::uint64_t>(header.created));
    writer.write_bytes(header.repository);
    writer.write(header.scrypt_cost.n);
    writer.write(header.scrypt_cost.r);
    writer.write(header.scrypt_cost.p);
    writer.write_bytes(header.scrypt_salt);
    writer.write_bytes(header.public_key);
    writer.write_text(header.label);
    writer.write_text(header.cluster);
    writer.write(static_cast<std::uint32_t>(bundle_size + wrapping_overhead(wrapping)));
    return slot;
}

/// The endorsement and the checksum, which end every slot.
void finish_slot(Bytes& slot, const Ed25519SecretKey& admin) {
    append(slot, sign(admin, signed_message(endorsement_label, slot)));
    ByteWriter(slot).write(crc32c(slot));
}

/// The keys of a holder for one slot.
class SlotKeys {
public:
    SlotKeys(const UnlockSecret& secret, const ScryptCost& cost, ByteView salt) {
        const Secret<32> unlock_key = secret.unlock_key(cost, salt);
        wrap_key_ = derive_key(unlock_key, "walden/v1/slot-wrap");
        pair_ = derive_x25519_key_pair(derive_key(unlock_key, "walden/v1/slot"));
    }

    [[nodiscard]] const X25519PublicKey& public_key() const { return pair_.public_key; }

    void wrap(Bytes& slot, ByteView bundle) const {
        const auto nonce = random_array<sizeof(Nonce)>();
        const Bytes aad = slot;
        append(slot, nonce);
        slot.resize(slot.size() + bundle.size() + tag_size);
        Aes256Gcm(wrap_key_).seal(nonce, aad, bundle,
                                  MutableByteView(slot).last(bundle.size() + tag_size));
    }

    /// The bundle of generation 1, or of a later one. nullopt for a false tag.
    [[nodiscard]] std::optional<Bytes> unwrap(const SlotParts& parts) const;

private:
    Secret<32> wrap_key_;
    X25519KeyPair pair_;
};

constexpr std::string_view hpke_info = "walden/v1/slot";

HpkeContext hpke_context(ByteView aad) {
    return {.info = as_bytes(hpke_info), .psk = {}, .psk_id = {}, .aad = aad};
}

std::optional<Bytes> SlotKeys::unwrap(const SlotParts& parts) const {
    if (wrapping_of(parts.header.generation) == Wrapping::sealed)
        return hpke_open(pair_.secret_key, hpke_context(parts.aad),
                         parts.wrapped.first(sizeof(X25519PublicKey)),
                         parts.wrapped.subspan(sizeof(X25519PublicKey)));
    Nonce nonce{};
    std::copy_n(parts.wrapped.begin(), nonce.size(), nonce.begin());
    const ByteView sealed = parts.wrapped.subspan(nonce.size());
    Bytes bundle(sealed.size() - tag_size);
    if (!Aes256Gcm(wrap_key_).open(nonce, parts.aad, sealed, bundle)) return std::nullopt;
    return bundle;
}

/// Unwraps a slot that the keys' public half belongs to, and checks what it wraps against it.
KeyBundle open_parts(const SlotKeys& keys, const SlotParts& parts) {
    std::optional<Bytes> bytes = keys.unwrap(parts);
    if (!bytes) fail_corrupt("does not open although its key is right");
    const ZeroOnExit zero(*bytes);
    KeyBundle bundle = KeyBundle::decode(*bytes);
    if (bundle.kind() != parts.header.bundle || bundle.repository() != parts.header.repository ||
        bundle.cluster() != parts.header.cluster)
        fail_corrupt("wraps a bundle that is not the one it announces");
    if (!is_endorsed_by(parts, bundle.admin_public_key()))
        fail_corrupt("is not endorsed by the admin key it wraps");
    return bundle;
}

/// True if both headers describe the same slot, whatever its generation and labels.
bool is_same_slot(const SlotHeader& a, const SlotHeader& b) {
    return a.id == b.id && a.repository == b.repository && a.source == b.source &&
           a.bundle == b.bundle && a.cluster == b.cluster && a.public_key == b.public_key &&
           a.scrypt_cost.n == b.scrypt_cost.n && a.scrypt_cost.r == b.scrypt_cost.r &&
           a.scrypt_cost.p == b.scrypt_cost.p && a.scrypt_salt == b.scrypt_salt;
}

KeyBundle open_next_parts(const SlotKeys& keys, const SlotHeader& current,
                          const KeyBundle& previous, const SlotParts& parts) {
    if (!is_same_slot(current, parts.header) || parts.header.repository != previous.repository())
        fail_corrupt("belongs to another slot or repository than the generation before it");
    if (parts.header.generation - 1 != current.generation)
        fail_corrupt(format("has generation {} where {} belongs", parts.header.generation,
                            std::uint64_t{current.generation} + 1));
    if (!verify_signature(previous.admin_public_key(),
                          signed_message(handover_label, parts.handed_over), parts.handover))
        fail_corrupt("is not signed by the admin key of the generation before it");
    KeyBundle next = open_parts(keys, parts);
    for (const KeyEpoch& epoch : previous.epochs()) {
        const KeyEpoch* const kept = next.find_epoch(epoch.number);
        if (kept == nullptr || kept->public_key != epoch.public_key)
            fail_corrupt("lacks an epoch of the generation before it");
    }
    return next;
}

/// The holder's keys if `secret` is this slot's.
std::optional<SlotKeys> find_keys(const UnlockSecret& secret, const SlotHeader& header) {
    if (secret.source() != header.source) return std::nullopt;
    if (secret.source() == SlotSource::random_key && secret.slot_id() != header.id)
        return std::nullopt;
    SlotKeys keys(secret, header.scrypt_cost, header.scrypt_salt);
    if (keys.public_key() != header.public_key) return std::nullopt;
    return keys;
}

SlotParts parse_first(ByteView slot) {
    SlotParts parts = parse_slot(slot);
    if (parts.header.generation != 1)
        fail_corrupt(format("has generation {} where 1 belongs", parts.header.generation));
    return parts;
}

/// The bundle that a slot of this cluster (empty: none) holds.
KeyBundle bundle_for(const KeyBundle& admin, const std::string& cluster) {
    return cluster.empty() ? admin : admin.make_put_bundle(cluster);
}

}  // namespace

Bytes make_slot(const UnlockSecret& secret, const KeyBundle& admin, const NewSlot& options) {
    const Ed25519SecretKey& admin_key = admin.admin_secret_key();
    if (!is_label(options.label))
        throw Error(ErrorKind::usage, "the label must be at most 255 bytes of printable text");
    const KeyBundle bundle = bundle_for(admin, options.cluster);
    SlotHeader header;
    header.source = secret.source();
    header.bundle = bundle.kind();
    header.repository = bundle.repository();
    header.created = options.created;
    header.label = options.label;
    header.cluster = options.cluster;
    header.scrypt_cost = {.n = 0, .r = 0, .p = 0};
    if (secret.source() == SlotSource::passphrase) {
        header.id = random_array<16>();
        header.scrypt_cost = options.scrypt_cost;
        header.scrypt_salt = random_array<32>();
    } else {
        header.id = secret.slot_id();
    }
    const SlotKeys keys(secret, header.scrypt_cost, header.scrypt_salt);
    header.public_key = keys.public_key();

    Bytes encoded = bundle.encode();
    const ZeroOnExit zero(encoded);
    Bytes slot = encode_header(header, encoded.size());
    keys.wrap(slot, encoded);
    finish_slot(slot, admin_key);
    return slot;
}

Bytes make_next_generation(ByteView latest, const KeyBundle& previous, const KeyBundle& next) {
    const SlotParts parts = parse_slot(latest);
    const Ed25519SecretKey& previous_admin_key = previous.admin_secret_key();
    const Ed25519SecretKey& next_admin_key = next.admin_secret_key();
    if (previous.repository() != next.repository() ||
        parts.header.repository != previous.repository())
        throw Error(ErrorKind::foreign,
                    format("key slot {} belongs to another repository", to_hex(parts.header.id)));
    if (!is_endorsed_by(parts, previous.admin_public_key()))
        throw Error(ErrorKind::denied,
                    format("key slot {} was not made with the admin key", to_hex(parts.header.id)))
            .with_detail(
                "New keys are not handed to a slot that somebody else put into the store.");
    if (parts.header.generation == std::numeric_limits<std::uint32_t>::max())
        throw Error(ErrorKind::usage, "there are no more slot generations");

    SlotHeader header = parts.header;
    ++header.generation;
    const KeyBundle bundle = bundle_for(next, header.cluster);
    Bytes encoded = bundle.encode();
    const ZeroOnExit zero(encoded);
    Bytes slot = encode_header(header, encoded.size());
    const HpkeSealed sealed = hpke_seal(header.public_key, hpke_context(slot), encoded);
    append(slot, sealed.encapsulated_key);
    append(slot, sealed.ciphertext);
    append(slot, sign(previous_admin_key, signed_message(handover_label, slot)));
    finish_slot(slot, next_admin_key);
    return slot;
}

SlotHeader read_slot_header(ByteView slot) {
    return parse_slot(slot).header;
}

bool is_slot_endorsed(ByteView slot, const Ed25519PublicKey& admin) {
    return is_endorsed_by(parse_slot(slot), admin);
}

std::optional<std::vector<KeyBundle>> open_slot_chain(const UnlockSecret& secret,
                                                      std::span<const Bytes> generations) {
    assert(!generations.empty());
    const SlotParts first = parse_first(generations.front());
    const std::optional<SlotKeys> keys = find_keys(secret, first.header);
    if (!keys) return std::nullopt;
    std::vector<KeyBundle> bundles;
    bundles.push_back(open_parts(*keys, first));
    // The keys are those of the generation that was opened, never of hostile scrypt parameters.
    SlotHeader current = first.header;
    for (const Bytes& slot : generations.subspan(1)) {
        const SlotParts parts = parse_slot(slot);
        bundles.push_back(open_next_parts(*keys, current, bundles.back(), parts));
        current = parts.header;
    }
    return bundles;
}

}  // namespace walden::crypto
