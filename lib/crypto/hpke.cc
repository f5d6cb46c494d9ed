#include "crypto/hpke.h"

#include "base/error.h"
#include "crypto/aead.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"

#include <algorithm>

namespace walden::crypto {

namespace {

using namespace std::string_view_literals;

// RFC 9180, 4.1 and 5.1: suite_id binds every derivation to the algorithms in use.
constexpr std::string_view kem_suite = "KEM\x00\x20"sv;
constexpr std::string_view hpke_suite = "HPKE\x00\x20\x00\x01\x00\x02"sv;
constexpr std::string_view version_label = "HPKE-v1";

constexpr std::size_t psk_size_min = 32;

Secret<32> labeled_extract(std::string_view suite, ByteView salt, std::string_view label,
                           ByteView input_key) {
    Secret<32> key;
    HmacSha256(salt).compute({as_bytes(version_label), as_bytes(suite), as_bytes(label), input_key},
                             key.writable().first<32>());
    return key;
}

void labeled_expand(std::string_view suite, const Secret<32>& key, std::string_view label,
                    ByteView info, MutableByteView out) {
    std::byte size[2];
    store_be(size, static_cast<std::uint16_t>(out.size()));
    Bytes labeled_info;
    for (const ByteView part :
         {ByteView(size), as_bytes(version_label), as_bytes(suite), as_bytes(label), info})
        append(labeled_info, part);
    hkdf_expand(key.view(), labeled_info, out);
}

/// DHKEM's shared secret from the Diffie-Hellman one. The context names both public keys.
Secret<32> extract_and_expand(const Secret<32>& agreed, ByteView encapsulated_key,
                              const X25519PublicKey& recipient) {
    std::array<std::byte, 64> kem_context{};
    std::copy_n(encapsulated_key.begin(), 32, kem_context.begin());
    std::copy_n(recipient.begin(), 32, &kem_context[32]);
    const Secret<32> key = labeled_extract(kem_suite, {}, "eae_prk", agreed.view());
    Secret<32> shared;
    labeled_expand(kem_suite, key, "shared_secret", kem_context, shared.writable());
    return shared;
}

struct MessageKey {
    Secret<32> key;
    Nonce nonce{};
};

void require_consistent_psk(const HpkeContext& context) {
    if (context.psk.empty() != context.psk_id.empty())
        throw Error(ErrorKind::usage, "a pre-shared key and its id must be given together");
    if (!context.psk.empty() && context.psk.size() < psk_size_min)
        throw Error(ErrorKind::usage, "a pre-shared key must have at least 32 bytes");
}

/// RFC 9180, 5.1: KeySchedule. A single-shot message has sequence number 0, so its nonce is the
/// base nonce.
MessageKey schedule_key(const Secret<32>& shared, const HpkeContext& context) {
    const Secret<32> psk_id_hash = labeled_extract(hpke_suite, {}, "psk_id_hash", context.psk_id);
    const Secret<32> info_hash = labeled_extract(hpke_suite, {}, "info_hash", context.info);
    std::array<std::byte, 1 + 32 + 32> schedule_context{};
    schedule_context[0] = context.psk.empty() ? std::byte{0} : std::byte{1};  // the mode
    std::copy_n(psk_id_hash.view().begin(), 32, &schedule_context[1]);
    std::copy_n(info_hash.view().begin(), 32, &schedule_context[33]);

    const Secret<32> secret = labeled_extract(hpke_suite, shared.view(), "secret", context.psk);
    MessageKey message;
    labeled_expand(hpke_suite, secret, "key", schedule_context, message.key.writable());
    labeled_expand(hpke_suite, secret, "base_nonce", schedule_context, message.nonce);
    return message;
}

}  // namespace

X25519KeyPair derive_x25519_key_pair(const Secret<32>& input_key_material) {
    const Secret<32> key = labeled_extract(kem_suite, {}, "dkp_prk", input_key_material.view());
    X25519KeyPair pair;
    labeled_expand(kem_suite, key, "sk", {}, pair.secret_key.writable());
    pair.public_key = x25519_public_key(pair.secret_key);
    return pair;
}

HpkeSealed hpke_seal_with(const X25519KeyPair& ephemeral, const X25519PublicKey& recipient,
                          const HpkeContext& context, ByteView plain) {
    require_consistent_psk(context);
    Secret<32> agreed;
    if (!x25519_agree(ephemeral.secret_key, recipient, agreed))
        throw Error(ErrorKind::usage, "the recipient's public key is not a usable X25519 key");
    HpkeSealed sealed{.encapsulated_key = ephemeral.public_key,
                      .ciphertext = Bytes(plain.size() + tag_size)};
    const MessageKey message =
        schedule_key(extract_and_expand(agreed, ephemeral.public_key, recipient), context);
    Aes256Gcm(message.key).seal(message.nonce, context.aad, plain, sealed.ciphertext);
    return sealed;
}

HpkeSealed hpke_seal(const X25519PublicKey& recipient, const HpkeContext& context, ByteView plain) {
    return hpke_seal_with(make_x25519_key_pair(), recipient, context, plain);
}

std::optional<Bytes> hpke_open(const X25519SecretKey& recipient, const HpkeContext& context,
                               ByteView encapsulated_key, ByteView ciphertext) {
    require_consistent_psk(context);
    X25519PublicKey ephemeral{};
    if (encapsulated_key.size() != ephemeral.size() || ciphertext.size() < tag_size)
        return std::nullopt;
    std::copy(encapsulated_key.begin(), encapsulated_key.end(), ephemeral.begin());
    Secret<32> agreed;
    if (!x25519_agree(recipient, ephemeral, agreed)) return std::nullopt;
    const MessageKey message = schedule_key(
        extract_and_expand(agreed, encapsulated_key, x25519_public_key(recipient)), context);
    Bytes plain(ciphertext.size() - tag_size);
    if (!Aes256Gcm(message.key).open(message.nonce, context.aad, ciphertext, plain))
        return std::nullopt;
    return plain;
}

}  // namespace walden::crypto
