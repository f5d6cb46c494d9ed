#include "crypto/frame_cipher.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <optional>

namespace walden::crypto {

namespace {

constexpr std::size_t aad_size = 32 + 1 + 4 + 1 + 4;

Nonce make_nonce(FramePosition at) {
    Nonce nonce{};
    nonce[6] = std::byte{at.stream};
    store_be(&nonce[7], at.frame);
    nonce[11] = at.is_last ? std::byte{1} : std::byte{0};
    return nonce;
}

std::array<std::byte, aad_size> make_aad(const HeaderHash& header, FramePosition at,
                                         std::size_t plain_size) {
    std::array<std::byte, aad_size> aad{};
    std::copy(header.begin(), header.end(), aad.begin());
    aad[32] = std::byte{at.stream};
    store_le(&aad[33], at.frame);
    aad[37] = at.is_last ? std::byte{1} : std::byte{0};
    store_le(&aad[38], static_cast<std::uint32_t>(plain_size));
    return aad;
}

}  // namespace

struct FrameCipher::State {
    HeaderHash header_hash{};
    std::optional<Aes256Gcm> gcm;                     ///< empty in Suite::none
    std::array<std::uint64_t, 256> next_frame_min{};  ///< per stream: lowest that may be sealed
};

FrameCipher::FrameCipher(Suite suite, const Secret<32>& key, const HeaderHash& header_hash)
    : state_(std::make_unique<State>()) {
    state_->header_hash = header_hash;
    if (suite == Suite::none) return;
    assert(suite == Suite::aes_256_gcm);
    state_->gcm.emplace(key);
}

FrameCipher::FrameCipher(FrameCipher&&) noexcept = default;
FrameCipher& FrameCipher::operator=(FrameCipher&&) noexcept = default;
FrameCipher::~FrameCipher() = default;

void FrameCipher::seal(FramePosition at, ByteView plain, MutableByteView out) {
    assert(plain.size() <= std::numeric_limits<std::uint32_t>::max());
    assert(out.size() == plain.size() + tag_size);
    std::uint64_t& next_min = state_->next_frame_min[at.stream];
    assert(at.frame >= next_min && "a nonce was about to be used twice");
    next_min = std::uint64_t{at.frame} + 1;

    const auto aad = make_aad(state_->header_hash, at, plain.size());
    if (state_->gcm) {
        state_->gcm->seal(make_nonce(at), aad, plain, out);
        return;
    }
    Digest digest{};
    sha256({aad, plain}, digest);
    if (!plain.empty()) std::memmove(out.data(), plain.data(), plain.size());
    std::copy_n(digest.begin(), tag_size, out.last(tag_size).begin());
}

bool FrameCipher::open(FramePosition at, ByteView sealed, MutableByteView out) {
    if (sealed.size() < tag_size ||
        sealed.size() - tag_size > std::numeric_limits<std::uint32_t>::max()) {
        secure_zero(out.data(), out.size());
        return false;
    }
    assert(out.size() == sealed.size() - tag_size);
    const auto aad = make_aad(state_->header_hash, at, out.size());
    if (state_->gcm) return state_->gcm->open(make_nonce(at), aad, sealed, out);

    const ByteView plain = sealed.first(out.size());
    Digest digest{};
    sha256({aad, plain}, digest);
    if (!equal(ByteView(digest).first(tag_size), sealed.last(tag_size))) {
        secure_zero(out.data(), out.size());
        return false;
    }
    if (!plain.empty()) std::memmove(out.data(), plain.data(), plain.size());
    return true;
}

}  // namespace walden::crypto
