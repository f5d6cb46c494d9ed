#include "crypto/aead.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"
#include "crypto/signature.h"
#include "crypto/x25519.h"
#include "crypto_test.h"

using namespace walden;
using namespace walden::crypto;

namespace {

std::string repeated(std::string_view hex_byte, std::size_t count) {
    std::string hex;
    for (std::size_t i = 0; i < count; ++i) hex += hex_byte;
    return hex;
}

}  // namespace

TEST_CASE("sha256 gives FIPS 180-4's answers", "[crypto][digest]") {
    CHECK(to_hex(sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(to_hex(sha256(as_bytes("abc"))) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("md5 gives RFC 1321's answers", "[crypto][digest]") {
    CHECK(to_hex(md5({})) == "d41d8cd98f00b204e9800998ecf8427e");
    CHECK(to_hex(md5(as_bytes("message digest"))) == "f96b697d7cb7938d525a2f31aaf161d0");
}

TEST_CASE("hmac_sha256 gives RFC 4231's answers", "[crypto][digest]") {
    struct Vector {
        std::string key;  // hex
        Bytes message;
        std::string_view code;
    };

    const auto vector = GENERATE_COPY(values<Vector>({
        {repeated("0b", 20), to_bytes(as_bytes("Hi There")),
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"4a656665", to_bytes(as_bytes("what do ya want for nothing?")),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {repeated("aa", 20), from_hex(repeated("dd", 50)),
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {"0102030405060708090a0b0c0d0e0f10111213141516171819", from_hex(repeated("cd", 50)),
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {repeated("aa", 131),
         to_bytes(as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {repeated("aa", 131),
         to_bytes(as_bytes("This is a test using a larger than block-size key and a larger than "
                           "block-size data. The key needs to be hashed before being used by the "
                           "HMAC algorithm.")),
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    }));
    CHECK(to_hex(hmac_sha256(from_hex(vector.key), vector.message)) == vector.code);

    // In parts, and twice with one key: a schedule that a message spoils would show.
    const HmacSha256 mac(from_hex(vector.key));
    for (int round = 0; round < 2; ++round) {
        Digest code{};
        const ByteView message = vector.message;
        mac.compute({message.first(3), {}, message.subspan(3)}, code);
        CHECK(to_hex(code) == vector.code);
    }
}

TEST_CASE("hkdf gives RFC 5869's answers", "[crypto][kdf]") {
    struct Vector {
        std::string salt, input_key, info;
        std::string_view pseudo_random_key, output;
    };

    const auto range = [](int first, int last) {
        std::string hex;
        for (int i = first; i <= last; ++i) {
            const std::byte b[] = {static_cast<std::byte>(i)};
            hex += to_hex(b);
        }
        return hex;
    };
    const auto vector = GENERATE_COPY(values<Vector>({
        {range(0x00, 0x0c), repeated("0b", 22), range(0xf0, 0xf9),
         "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
         "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
        {range(0x60, 0xaf), range(0x00, 0x4f), range(0xb0, 0xff),
         "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
         "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
         "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
         "cc30c58179ec3e87c14c01d5c1f3434f1d87"},
        {"", repeated("0b", 22), "",
         "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
    }));
    const Secret<32> key = hkdf_extract(from_hex(vector.salt), from_hex(vector.input_key));
    CHECK(to_hex(key.view()) == vector.pseudo_random_key);
    Bytes output(vector.output.size() / 2);
    hkdf_expand(key.view(), from_hex(vector.info), output);
    CHECK(to_hex(output) == vector.output);
}

TEST_CASE("hkdf_expand reaches its longest output", "[crypto][kdf]") {
    Bytes longest(255 * 32);
    hkdf_expand(pattern(32), as_bytes("x"), longest);
    Bytes shorter(100);
    hkdf_expand(pattern(32), as_bytes("x"), shorter);
    CHECK(equal(ByteView(longest).first(100), shorter));
    CHECK_FALSE(equal(ByteView(longest).last(32), ByteView(longest).first(32)));
}

TEST_CASE("scrypt gives RFC 7914's answer", "[crypto][kdf]") {
    // 32 bytes of the RFC's 64: the last step is PBKDF2-HMAC-SHA-256, whose blocks have 32.
    const Secret<32> key =
        scrypt("pleaseletmein", as_bytes("SodiumChloride"), {.n = 16384, .r = 8, .p = 1});
    CHECK(to_hex(key.view()) == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2");
}

TEST_CASE("scrypt with its default cost gets the memory it needs", "[crypto][kdf]") {
    // OpenSSL's own limit is 32 MiB; Python's hashlib computed the answer.
    const Secret<32> key = scrypt("correct horse", as_bytes("walden"), ScryptCost{});
    CHECK(to_hex(key.view()) == "db44c330d606d39575ee242df122cd1860138b02fcfac4856aa881521d2f8ad4");
}

TEST_CASE("scrypt refuses a cost that would exhaust the machine", "[crypto][kdf]") {
    const auto cost = GENERATE(values<ScryptCost>({{.n = 1 << 9, .r = 8, .p = 1},
                                                   {.n = 1 << 21, .r = 1, .p = 1},
                                                   {.n = (1 << 17) + 1, .r = 8, .p = 1},
                                                   {.n = 0, .r = 8, .p = 1},
                                                   {.n = 1 << 10, .r = 0, .p = 1},
                                                   {.n = 1 << 10, .r = 17, .p = 1},
                                                   {.n = 1 << 10, .r = 8, .p = 0},
                                                   {.n = 1 << 10, .r = 8, .p = 5},
                                                   {.n = 1 << 20, .r = 16, .p = 1},  // 2 GiB
                                                   {.n = std::uint64_t{1} << 63, .r = 1, .p = 1}}));
    CHECK_FALSE(is_acceptable(cost));
    CHECK(kind_of([&] { (void)scrypt("x", as_bytes("y"), cost); }) == ErrorKind::usage);
}

TEST_CASE("equal_in_constant_time sees size and content", "[crypto][kdf]") {
    CHECK(equal_in_constant_time({}, {}));
    CHECK(equal_in_constant_time(as_bytes("abc"), as_bytes("abc")));
    CHECK_FALSE(equal_in_constant_time(as_bytes("abc"), as_bytes("abd")));
    CHECK_FALSE(equal_in_constant_time(as_bytes("abc"), as_bytes("ab")));
}

TEST_CASE("AES-256-GCM gives the answers of its specification's test cases 13 to 16",
          "[crypto][aead]") {
    struct Vector {
        std::string_view key, nonce, plain, aad, sealed;
    };

    constexpr std::string_view zero_key =
        "0000000000000000000000000000000000000000000000000000000000000000";
    constexpr std::string_view key =
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
    const auto vector = GENERATE_COPY(values<Vector>({
        {zero_key, "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
        {zero_key, "000000000000000000000000", "00000000000000000000000000000000", "",
         "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
        {key, "cafebabefacedbaddecaf888",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
         "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
         "",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
         "b094dac5d93471bdec1a502270e3cc6c"},
        {key, "cafebabefacedbaddecaf888",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
         "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
         "feedfacedeadbeeffeedfacedeadbeefabaddad2",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
         "76fc6ece0f4e1768cddf8853bb2d551b"},
    }));
    Aes256Gcm cipher(secret_from_hex(vector.key));
    const auto nonce = array_from_hex<12>(vector.nonce);
    const Bytes plain = from_hex(vector.plain);
    const Bytes aad = from_hex(vector.aad);
    // Twice, in both directions, with one object: nothing of a message may stay behind.
    for (int round = 0; round < 2; ++round) {
        Bytes sealed(plain.size() + tag_size);
        cipher.seal(nonce, aad, plain, sealed);
        CHECK(to_hex(sealed) == vector.sealed);
        Bytes opened(plain.size());
        CHECK(cipher.open(nonce, aad, sealed, opened));
        CHECK(equal(opened, plain));
        sealed.back() ^= std::byte{1};
        CHECK_FALSE(cipher.open(nonce, aad, sealed, opened));
        CHECK(equal(opened, Bytes(plain.size(), std::byte{0})));
    }
}

TEST_CASE("X25519 gives RFC 7748's answers", "[crypto][x25519]") {
    const auto alice =
        secret_from_hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    const auto bob =
        secret_from_hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    CHECK(to_hex(x25519_public_key(alice)) ==
          "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    CHECK(to_hex(x25519_public_key(bob)) ==
          "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    Secret<32> agreed;
    CHECK(x25519_agree(alice, x25519_public_key(bob), agreed));
    CHECK(to_hex(agreed.view()) ==
          "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

TEST_CASE("a key agreement with a point of low order fails", "[crypto][x25519]") {
    // All encodings of points whose order divides 8, also those not reduced modulo p
    // (RFC 7748, 6.1: going on would encrypt with a known key).
    const auto point = GENERATE(values<std::string_view>({
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    }));
    Secret<32> agreed(array_from_hex<32>(std::string(64, 'a')));
    CHECK_FALSE(x25519_agree(make_x25519_key_pair().secret_key, array_from_hex<32>(point), agreed));
    CHECK(equal(agreed.view(), Bytes(32, std::byte{0})));
}

TEST_CASE("Ed25519 gives RFC 8032's answers", "[crypto][signature]") {
    struct Vector {
        std::string_view secret_key, public_key, message, signature;
    };

    const auto vector = GENERATE(values<Vector>({
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
         "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    }));
    const auto secret_key = secret_from_hex(vector.secret_key);
    const auto public_key = array_from_hex<32>(vector.public_key);
    CHECK(to_hex(ed25519_public_key(secret_key)) == vector.public_key);
    CHECK(to_hex(sign(secret_key, from_hex(vector.message))) == vector.signature);
    CHECK(verify_signature(public_key, from_hex(vector.message), from_hex(vector.signature)));
}

TEST_CASE("a signature with any bit flipped or any byte missing is refused",
          "[crypto][signature]") {
    const Ed25519KeyPair pair = make_ed25519_key_pair();
    const Bytes message = pattern(100);
    const Ed25519Signature signature = sign(pair.secret_key, message);
    REQUIRE(verify_signature(pair.public_key, message, signature));
    for (std::size_t bit = 0; bit < signature.size() * 8; ++bit)
        CHECK_FALSE(verify_signature(pair.public_key, message, with_bit_flipped(signature, bit)));
    for (std::size_t size = 0; size < signature.size(); ++size)
        CHECK_FALSE(verify_signature(pair.public_key, message, ByteView(signature).first(size)));
    CHECK_FALSE(verify_signature(pair.public_key, ByteView(message).first(99), signature));
    CHECK_FALSE(verify_signature(make_ed25519_key_pair().public_key, message, signature));
}
