#include "crypto/digest.h"

#include "base/secret.h"
#include "crypto/openssl.h"

#include <algorithm>

namespace walden::crypto {

namespace {

constexpr std::size_t block_size = 64;

DigestContext make_context() {
    DigestContext context(EVP_MD_CTX_new());
    if (context == nullptr) fail_openssl("make a digest context");
    return context;
}

void update(EVP_MD_CTX& context, ByteView bytes) {
    if (EVP_DigestUpdate(&context, bytes.data(), bytes.size()) != 1) fail_openssl("hash");
}

void finish(EVP_MD_CTX& context, DigestSpan out) {
    if (EVP_DigestFinal_ex(&context, raw(MutableByteView(out)), nullptr) != 1)
        fail_openssl("finish a hash");
}

/// The hash's state after the block `key` xor `pad`, from which every message starts.
DigestContext after_padded_key(const Secret<block_size>& key, std::byte pad) {
    Secret<block_size> block;
    std::transform(key.view().begin(), key.view().end(), block.writable().begin(),
                   [pad](std::byte b) { return b ^ pad; });
    DigestContext context = make_context();
    if (EVP_DigestInit_ex2(context.get(), sha256_algorithm(), nullptr) != 1)
        fail_openssl("start a hash");
    update(*context, block.view());
    return context;
}

}  // namespace

void sha256(std::initializer_list<ByteView> parts, DigestSpan out) {
    const DigestContext context = make_context();
    if (EVP_DigestInit_ex2(context.get(), sha256_algorithm(), nullptr) != 1)
        fail_openssl("start a hash");
    for (const ByteView part : parts) update(*context, part);
    finish(*context, out);
}

Digest sha256(ByteView bytes) {
    Digest digest{};
    sha256({bytes}, digest);
    return digest;
}

std::array<std::byte, 16> md5(ByteView bytes) {
    start_openssl();
    std::array<std::byte, 16> digest{};
    if (EVP_Q_digest(nullptr, "MD5", nullptr, bytes.data(), bytes.size(),
                     raw(MutableByteView(digest)), nullptr) != 1)
        fail_openssl("compute MD5");
    return digest;
}

struct HmacSha256::State {
    DigestContext inner;
    DigestContext outer;
};

HmacSha256::HmacSha256(ByteView key) {
    Secret<block_size> block;
    if (key.size() > block_size)
        sha256({key}, block.writable().first<32>());
    else
        std::copy(key.begin(), key.end(), block.writable().begin());
    state_ =
        std::make_unique<const State>(State{.inner = after_padded_key(block, std::byte{0x36}),
                                            .outer = after_padded_key(block, std::byte{0x5C})});
}

HmacSha256::HmacSha256(HmacSha256&&) noexcept = default;
HmacSha256& HmacSha256::operator=(HmacSha256&&) noexcept = default;
HmacSha256::~HmacSha256() = default;

void HmacSha256::compute(std::initializer_list<ByteView> parts, DigestSpan out) const {
    const DigestContext context = make_context();
    if (EVP_MD_CTX_copy_ex(context.get(), state_->inner.get()) != 1) fail_openssl("copy a hash");
    for (const ByteView part : parts) update(*context, part);
    Secret<32> inner_digest;
    finish(*context, inner_digest.writable().first<32>());
    if (EVP_MD_CTX_copy_ex(context.get(), state_->outer.get()) != 1) fail_openssl("copy a hash");
    update(*context, inner_digest.view());
    finish(*context, out);
}

}  // namespace walden::crypto
