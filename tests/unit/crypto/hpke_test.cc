#include "crypto/hpke.h"

#include "crypto_test.h"

using namespace walden;
using namespace walden::crypto;

namespace {

struct Vector {
    std::string_view recipient_material, recipient_secret, recipient_public;
    std::string_view ephemeral_material, ephemeral_secret, ephemeral_public;
    std::string_view psk, psk_id, info, aad, plain, ciphertext;
};

/// The first message of the vectors for kem 0x0020, kdf 0x0001, aead 0x0002 (X25519, HKDF-SHA256,
/// AES-256-GCM), modes base and psk, in the test-vectors file that RFC 9180, appendix A, names.
const Vector rfc_vectors[] = {
    {
        .recipient_material = "dac33b0e9db1b59dbbea58d59a14e7b5896e9bdf98fad6891e99d1686492b9ee",
        .recipient_secret = "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d",
        .recipient_public = "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c",
        .ephemeral_material = "2cd7c601cefb3d42a62b04b7a9041494c06c7843818e0ce28a8f704ae7ab20f9",
        .ephemeral_secret = "179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11",
        .ephemeral_public = "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256",
        .psk = "",
        .psk_id = "",
        .info = "4f6465206f6e2061204772656369616e2055726e",
        .aad = "436f756e742d30",
        .plain = "4265617574792069732074727574682c20747275746820626561757479",
        .ciphertext = "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a9"
                      "25cdad859d5b7a",
    },
    {
        .recipient_material = "f1c6eccfde050607555cae11893fcfe895f85eadc7c77c42c1544391d0cb7a20",
        .recipient_secret = "d99132243a09c24a7497f3da8608f0ba808c21a575d33679f4b24603e96d27ad",
        .recipient_public = "62a61ceb338540516edde460e27923a8df6749bc38e27b1001cd5b8b9102e44c",
        .ephemeral_material = "82a09463e824b97331c06be1d3eebd9a3e023e08b9ed22bc6a4af2ff024817dd",
        .ephemeral_secret = "e24413c8dc5760ffbedbfbfb48d087f85ae448b62575db480763d430636663af",
        .ephemeral_public = "4f3e44d4dde1d0d12a724242df8cef0a68ea53617dab8a6aade4239d404a5154",
        .psk = "0247fd33b913760fa1fa51e1892d9f307fbe65eb171e8132c2af18555a738b82",
        .psk_id = "456e6e796e20447572696e206172616e204d6f726961",
        .info = "4f6465206f6e2061204772656369616e2055726e",
        .aad = "436f756e742d30",
        .plain = "4265617574792069732074727574682c20747275746820626561757479",
        .ciphertext = "316d9b4214a33182212888e86f23005b0706c30db2b1052c4e28c2c100fcdb85cc934b0a64c8"
                      "db0d7dd339b64c",
    },
};

struct Context {
    Bytes info, psk, psk_id, aad;

    [[nodiscard]] HpkeContext view() const {
        return {.info = info, .psk = psk, .psk_id = psk_id, .aad = aad};
    }
};

Context context_of(const Vector& vector) {
    return {.info = from_hex(vector.info),
            .psk = from_hex(vector.psk),
            .psk_id = from_hex(vector.psk_id),
            .aad = from_hex(vector.aad)};
}

}  // namespace

TEST_CASE("hpke gives the answers of RFC 9180's vectors in modes base and psk", "[crypto][hpke]") {
    const Vector& vector = rfc_vectors[GENERATE(0U, 1U)];
    const Context context = context_of(vector);

    const X25519KeyPair recipient =
        derive_x25519_key_pair(secret_from_hex(vector.recipient_material));
    CHECK(to_hex(recipient.secret_key.view()) == vector.recipient_secret);
    CHECK(to_hex(recipient.public_key) == vector.recipient_public);
    const X25519KeyPair ephemeral =
        derive_x25519_key_pair(secret_from_hex(vector.ephemeral_material));
    CHECK(to_hex(ephemeral.secret_key.view()) == vector.ephemeral_secret);

    const HpkeSealed sealed =
        hpke_seal_with(ephemeral, recipient.public_key, context.view(), from_hex(vector.plain));
    CHECK(to_hex(sealed.encapsulated_key) == vector.ephemeral_public);
    CHECK(to_hex(sealed.ciphertext) == vector.ciphertext);

    const auto opened = hpke_open(recipient.secret_key, context.view(), sealed.encapsulated_key,
                                  from_hex(vector.ciphertext));
    REQUIRE(opened.has_value());
    CHECK(to_hex(*opened) == vector.plain);
}

TEST_CASE("two seals of one message share neither key nor ciphertext", "[crypto][hpke]") {
    const X25519KeyPair recipient = make_x25519_key_pair();
    const HpkeSealed a = hpke_seal(recipient.public_key, {}, pattern(32));
    const HpkeSealed b = hpke_seal(recipient.public_key, {}, pattern(32));
    CHECK(a.encapsulated_key != b.encapsulated_key);
    CHECK_FALSE(equal(a.ciphertext, b.ciphertext));
}

TEST_CASE("an hpke message with any bit flipped or cut anywhere does not open", "[crypto][hpke]") {
    const X25519KeyPair recipient = make_x25519_key_pair();
    const Context context{.info = pattern(9), .psk = pattern(32), .psk_id = pattern(3), .aad = {}};
    const HpkeSealed sealed = hpke_seal(recipient.public_key, context.view(), pattern(32));
    const auto open = [&](ByteView key, ByteView ciphertext) {
        return hpke_open(recipient.secret_key, context.view(), key, ciphertext).has_value();
    };
    REQUIRE(open(sealed.encapsulated_key, sealed.ciphertext));
    for (std::size_t bit = 0; bit < sealed.ciphertext.size() * 8; ++bit)
        CHECK_FALSE(open(sealed.encapsulated_key, with_bit_flipped(sealed.ciphertext, bit)));
    for (std::size_t bit = 0; bit < sealed.encapsulated_key.size() * 8; ++bit)
        CHECK_FALSE(open(with_bit_flipped(sealed.encapsulated_key, bit), sealed.ciphertext));
    for (std::size_t size = 0; size < sealed.ciphertext.size(); ++size)
        CHECK_FALSE(open(sealed.encapsulated_key, ByteView(sealed.ciphertext).first(size)));
    for (std::size_t size = 0; size < sealed.encapsulated_key.size(); ++size)
        CHECK_FALSE(open(ByteView(sealed.encapsulated_key).first(size), sealed.ciphertext));
}

TEST_CASE("an hpke message opens only in its own context and for its own recipient",
          "[crypto][hpke]") {
    const X25519KeyPair recipient = make_x25519_key_pair();
    const Context context{
        .info = pattern(9), .psk = pattern(32), .psk_id = pattern(3), .aad = pattern(4)};
    const HpkeSealed sealed = hpke_seal(recipient.public_key, context.view(), pattern(32));
    const auto open = [&](const X25519SecretKey& key, const Context& in) {
        return hpke_open(key, in.view(), sealed.encapsulated_key, sealed.ciphertext).has_value();
    };
    REQUIRE(open(recipient.secret_key, context));
    CHECK_FALSE(open(make_x25519_key_pair().secret_key, context));
    Context other = context;
    other.info[0] ^= std::byte{1};
    CHECK_FALSE(open(recipient.secret_key, other));
    other = context;
    other.psk[0] ^= std::byte{1};
    CHECK_FALSE(open(recipient.secret_key, other));
    other = context;
    other.psk_id[0] ^= std::byte{1};
    CHECK_FALSE(open(recipient.secret_key, other));
    other = context;
    other.aad[0] ^= std::byte{1};
    CHECK_FALSE(open(recipient.secret_key, other));
    other = context;
    other.psk = {};
    other.psk_id = {};
    CHECK_FALSE(open(recipient.secret_key, other));
}

TEST_CASE("sealing to a point of low order fails instead of using a zero secret",
          "[crypto][hpke]") {
    X25519PublicKey one{};
    one[0] = std::byte{1};
    CHECK(kind_of([&] { (void)hpke_seal(X25519PublicKey{}, {}, pattern(1)); }) == ErrorKind::usage);
    CHECK(kind_of([&] { (void)hpke_seal(one, {}, pattern(1)); }) == ErrorKind::usage);
    CHECK_FALSE(hpke_open(make_x25519_key_pair().secret_key, {}, one, pattern(40)).has_value());
}

TEST_CASE("a pre-shared key that is short or without its id is refused", "[crypto][hpke]") {
    const X25519KeyPair recipient = make_x25519_key_pair();
    const Bytes psk = pattern(32);
    const Bytes id = pattern(3);
    for (const HpkeContext& context :
         {HpkeContext{.info = {}, .psk = psk, .psk_id = {}, .aad = {}},
          HpkeContext{.info = {}, .psk = {}, .psk_id = id, .aad = {}},
          HpkeContext{.info = {}, .psk = ByteView(psk).first(31), .psk_id = id, .aad = {}}}) {
        CHECK(kind_of([&] { (void)hpke_seal(recipient.public_key, context, id); }) ==
              ErrorKind::usage);
        CHECK(kind_of([&] {
                  (void)hpke_open(recipient.secret_key, context, recipient.public_key, pattern(40));
              }) == ErrorKind::usage);
    }
}
