#include "crypto/kdf.h"

#include "base/error.h"
#include "base/format.h"
#include "crypto/digest.h"
#include "crypto/openssl.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <bit>
#include <cassert>

namespace walden::crypto {

namespace {

constexpr std::uint64_t scrypt_memory_max = std::uint64_t{1} << 30;

}  // namespace

Secret<32> hkdf_extract(ByteView salt, ByteView input_key) {
    Secret<32> pseudo_random_key;
    HmacSha256(salt).compute({input_key}, pseudo_random_key.writable().first<32>());
    return pseudo_random_key;
}

void hkdf_expand(ByteView pseudo_random_key, ByteView info, MutableByteView out) {
    assert(out.size() <= 255 * sizeof(Digest));
    const HmacSha256 mac(pseudo_random_key);
    Secret<32> block;
    ByteView previous;
    for (std::uint8_t counter = 1; !out.empty(); ++counter) {
        const std::byte suffix[] = {std::byte{counter}};
        mac.compute({previous, info, suffix}, block.writable().first<32>());
        previous = block.view();
        const std::size_t size = std::min(out.size(), previous.size());
        std::copy_n(previous.begin(), size, out.begin());
        out = out.subspan(size);
    }
}

Secret<32> derive_key(const Secret<32>& key, std::string_view label) {
    Secret<32> derived;
    hkdf_expand(key.view(), as_bytes(label), derived.writable());
    return derived;
}

std::array<std::byte, 32> hmac_sha256(ByteView key, ByteView message) {
    Digest code{};
    HmacSha256(key).compute({message}, code);
    return code;
}

bool equal_in_constant_time(ByteView a, ByteView b) {
    return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

bool is_acceptable(const ScryptCost& cost) {
    return std::has_single_bit(cost.n) && cost.n >= std::uint64_t{1} << 10 &&
           cost.n <= std::uint64_t{1} << 20 && cost.r >= 1 && cost.r <= 16 && cost.p >= 1 &&
           cost.p <= 4 && std::uint64_t{128} * cost.r * cost.n <= scrypt_memory_max;
}

Secret<32> scrypt(std::string_view passphrase, ByteView salt, const ScryptCost& cost) {
    if (!is_acceptable(cost))
        throw Error(ErrorKind::usage,
                    format("scrypt cost n={} r={} p={} is not acceptable", cost.n, cost.r, cost.p));
    start_openssl();
    // OpenSSL refuses what needs more than its default of 32 MiB unless told how much is fine: the
    // table of n blocks, p blocks of input and some working space.
    const std::uint64_t memory_max =
        std::uint64_t{128} * cost.r * (cost.n + cost.p + 4) + (1 << 20);
    Secret<32> key;
    if (EVP_PBE_scrypt(passphrase.data(), passphrase.size(), raw(salt), salt.size(), cost.n, cost.r,
                       cost.p, memory_max, raw(key.writable()), key.size) != 1)
        fail_openssl("derive a key with scrypt");
    return key;
}

}  // namespace walden::crypto
