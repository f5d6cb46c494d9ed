// Authenticated encryption of one object's frames.
//
//   nonce = 6 zero bytes | stream u8 | frame u32 big endian | last u8          (STREAM, as in Tink)
//   aad   = header hash (32) | stream u8 | frame u32 LE | last u8 | plain size u32 LE
//
// The key is fresh per object and one loop assigns frame numbers, so a nonce cannot repeat.
// With Suite::none nothing is encrypted and the tag is SHA-256(aad | bytes) cut to 16 bytes: it
// detects accidents, not attackers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/secret.h"

namespace walden::crypto {

enum class Suite : std::uint8_t { none = 0, aes_256_gcm = 1 };

inline constexpr std::size_t tag_size = 16;

struct FramePosition {
    std::uint8_t stream = 0;
    std::uint32_t frame = 0;
    bool is_last = false;
};

using HeaderHash = std::array<std::byte, 32>;

[[nodiscard]] std::array<std::byte, 32> sha256(ByteView bytes);

/// Seals and opens the frames of one object. One thread at a time; cheap to make one per thread.
class FrameCipher {
public:
    /// `key` is ignored by Suite::none.
    FrameCipher(Suite suite, const Secret<32>& key, const HeaderHash& header_hash);
    FrameCipher(FrameCipher&&) noexcept;
    FrameCipher& operator=(FrameCipher&&) noexcept;
    ~FrameCipher();

    /// Writes plain.size() bytes of ciphertext and then the 16-byte tag to `out`, which has room
    /// for exactly that. Throws Error(io) if OpenSSL fails.
    void seal(FramePosition at, ByteView plain, MutableByteView out);

    /// Opens `sealed` (ciphertext and tag) into `out` of sealed.size() - 16 bytes. False, with
    /// `out` zeroed, unless tag, position and header are what was sealed.
    [[nodiscard]] bool open(FramePosition at, ByteView sealed, MutableByteView out);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace walden::crypto
