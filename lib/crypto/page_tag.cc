#include "crypto/page_tag.h"

#include "crypto/openssl.h"

#include <cassert>
#include <limits>

namespace walden::crypto {

namespace {

constexpr std::array<unsigned char, 12> zero_nonce{};

}  // namespace

struct PageTagger::State {
    CipherContext context;
};

PageTagger::PageTagger(const Secret<32>& key)
    : state_(std::make_unique<State>(State{CipherContext(EVP_CIPHER_CTX_new())})) {
    if (state_->context == nullptr) fail_openssl("make a cipher context");
    if (EVP_CipherInit_ex2(state_->context.get(), aes_256_gcm_algorithm(), raw(key.view()), nullptr,
                           1, nullptr) != 1)
        fail_openssl("set the key");
}

PageTagger::PageTagger(PageTagger&&) noexcept = default;
PageTagger& PageTagger::operator=(PageTagger&&) noexcept = default;
PageTagger::~PageTagger() = default;

PageTag PageTagger::tag(ByteView page) {
    assert(page.size() <= std::numeric_limits<int>::max());
    EVP_CIPHER_CTX& context = *state_->context;
    PageTag tag{};
    int written = 0;
    if (EVP_CipherInit_ex2(&context, nullptr, nullptr, zero_nonce.data(), 1, nullptr) != 1 ||
        (!page.empty() && EVP_CipherUpdate(&context, nullptr, &written, raw(page),
                                           static_cast<int>(page.size())) != 1) ||
        EVP_CipherFinal_ex(&context, raw(MutableByteView(tag)), &written) != 1 ||
        EVP_CIPHER_CTX_ctrl(&context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag.size()),
                            tag.data()) != 1)
        fail_openssl("compute a page's tag");
    return tag;
}

}  // namespace walden::crypto
