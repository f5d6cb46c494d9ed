// AES-256-GCM (NIST SP 800-38D) with 12-byte nonces and 16-byte tags, for the constructions of
// this folder. Nothing outside uses it: they decide the nonces, and a repeated one is fatal.
#pragma once

#include "base/bytes.h"
#include "base/secret.h"

#include <array>
#include <memory>

namespace walden::crypto {

inline constexpr std::size_t tag_size = 16;

using Nonce = std::array<std::byte, 12>;

/// One key; its schedule is computed once, only the nonce changes per message. One thread at a
/// time.
class Aes256Gcm {
public:
    explicit Aes256Gcm(const Secret<32>& key);
    Aes256Gcm(Aes256Gcm&&) noexcept;
    Aes256Gcm& operator=(Aes256Gcm&&) noexcept;
    ~Aes256Gcm();

    /// Writes plain.size() bytes of ciphertext and the tag to `out`, which has room for exactly
    /// that and may start at `plain` but not otherwise overlap it. Throws Error(io) if OpenSSL
    /// fails.
    void seal(const Nonce& nonce, ByteView aad, ByteView plain, MutableByteView out);

    /// The inverse, into `out` of sealed.size() - 16 bytes. False, with `out` zeroed, if the tag
    /// is wrong or `sealed` is shorter than a tag.
    [[nodiscard]] bool open(const Nonce& nonce, ByteView aad, ByteView sealed, MutableByteView out);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace walden::crypto
