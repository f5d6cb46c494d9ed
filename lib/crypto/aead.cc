#include "crypto/aead.h"

#include "crypto/openssl.h"

#include <cassert>
#include <limits>

namespace walden::crypto {

namespace {

enum class Direction : int { open = 0, seal = 1 };

/// EVP_CipherUpdate counts in int. Objects end at 64 MiB, so this is only a guard.
constexpr std::size_t message_size_max = std::numeric_limits<int>::max() - 64;

void start(EVP_CIPHER_CTX& context, const Nonce& nonce, Direction direction) {
    if (EVP_CipherInit_ex2(&context, nullptr, nullptr, raw(nonce), static_cast<int>(direction),
                           nullptr) != 1)
        fail_openssl("set the nonce");
}

void authenticate(EVP_CIPHER_CTX& context, ByteView aad) {
    int written = 0;
    if (!aad.empty() &&
        EVP_CipherUpdate(&context, nullptr, &written, raw(aad), static_cast<int>(aad.size())) != 1)
        fail_openssl("authenticate data");
}

void transform(EVP_CIPHER_CTX& context, ByteView from, MutableByteView to) {
    if (from.empty()) return;
    int written = 0;
    if (EVP_CipherUpdate(&context, raw(to), &written, raw(from), static_cast<int>(from.size())) !=
            1 ||
        static_cast<std::size_t>(written) != from.size())
        fail_openssl("encrypt or decrypt");
}

}  // namespace

struct Aes256Gcm::State {
    CipherContext context;
};

Aes256Gcm::Aes256Gcm(const Secret<32>& key)
    : state_(std::make_unique<State>(State{CipherContext(EVP_CIPHER_CTX_new())})) {
    if (state_->context == nullptr) fail_openssl("make a cipher context");
    // GCM runs the block cipher forwards both ways, so one key schedule serves both directions.
    if (EVP_CipherInit_ex2(state_->context.get(), aes_256_gcm_algorithm(), raw(key.view()), nullptr,
                           static_cast<int>(Direction::seal), nullptr) != 1)
        fail_openssl("set the key");
}

Aes256Gcm::Aes256Gcm(Aes256Gcm&&) noexcept = default;
Aes256Gcm& Aes256Gcm::operator=(Aes256Gcm&&) noexcept = default;
Aes256Gcm::~Aes256Gcm() = default;

void Aes256Gcm::seal(const Nonce& nonce, ByteView aad, ByteView plain, MutableByteView out) {
    assert(plain.size() <= message_size_max);
    assert(aad.size() <= message_size_max);
    assert(out.size() == plain.size() + tag_size);
    EVP_CIPHER_CTX& context = *state_->context;
    start(context, nonce, Direction::seal);
    authenticate(context, aad);
    transform(context, plain, out.first(plain.size()));
    const MutableByteView tag = out.last(tag_size);
    int written = 0;
    if (EVP_CipherFinal_ex(&context, raw(tag), &written) != 1 || written != 0 ||
        EVP_CIPHER_CTX_ctrl(&context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag_size),
                            tag.data()) != 1)
        fail_openssl("compute a tag");
}

bool Aes256Gcm::open(const Nonce& nonce, ByteView aad, ByteView sealed, MutableByteView out) {
    if (sealed.size() < tag_size || sealed.size() > message_size_max) {
        secure_zero(out.data(), out.size());
        return false;
    }
    assert(aad.size() <= message_size_max);
    assert(out.size() == sealed.size() - tag_size);
    EVP_CIPHER_CTX& context = *state_->context;
    start(context, nonce, Direction::open);
    // OpenSSL takes the expected tag through a pointer to mutable memory.
    std::array<std::byte, tag_size> tag{};
    std::memcpy(tag.data(), sealed.last(tag_size).data(), tag_size);
    if (EVP_CIPHER_CTX_ctrl(&context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_size),
                            tag.data()) != 1)
        fail_openssl("set a tag");
    authenticate(context, aad);
    transform(context, sealed.first(out.size()), out);
    int written = 0;
    std::byte rest[tag_size];
    if (EVP_CipherFinal_ex(&context, raw(MutableByteView(rest)), &written) == 1) return true;
    secure_zero(out.data(), out.size());
    forget_openssl_errors();
    return false;
}

}  // namespace walden::crypto
