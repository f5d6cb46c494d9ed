// Authenticated encryption of one object's frames.
//
//   nonce = 6 zero bytes | stream u8 | frame u32 big endian | last u8          (STREAM, as in Tink)
//   aad   = header hash (32) | stream u8 | frame u32 LE | last u8 | plain size u32 LE
//
// The key is fresh per object and one loop assigns frame numbers, so a nonce cannot repeat; each
// FrameCipher also insists on rising frame numbers, since one repetition would give the key away.
// With Suite::none nothing is encrypted and the tag is SHA-256(aad | bytes) cut to 16 bytes: it
// detects accidents, not attackers.
#pragma once

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/aead.h"
#include "crypto/digest.h"

#include <cstdint>
#include <memory>

namespace walden::crypto {

enum class Suite : std::uint8_t { none = 0, aes_256_gcm = 1 };

struct FramePosition {
    std::uint8_t stream = 0;
    std::uint32_t frame = 0;
    bool is_last = false;
};

/// SHA-256 of the header bytes that the frames belong to.
using HeaderHash = Digest;

/// Seals and opens the frames of one object. One thread at a time; cheap to make one per thread.
class FrameCipher {
public:
    /// `key` is ignored by Suite::none.
    FrameCipher(Suite suite, const Secret<32>& key, const HeaderHash& header_hash);
    FrameCipher(FrameCipher&&) noexcept;
    FrameCipher& operator=(FrameCipher&&) noexcept;
    ~FrameCipher();

    /// Writes plain.size() bytes of ciphertext and then the 16-byte tag to `out`, which has room
    /// for exactly that and may start at `plain` but not otherwise overlap it. Frame numbers of one
    /// stream rise from call to call: a repeated one is a bug and aborts. Throws Error(io) if
    /// OpenSSL fails.
    void seal(FramePosition at, ByteView plain, MutableByteView out);

    /// Opens `sealed` (ciphertext and tag) into `out` of sealed.size() - 16 bytes. False, with
    /// `out` zeroed, unless tag, position and header are what was sealed; also for less than a tag.
    [[nodiscard]] bool open(FramePosition at, ByteView sealed, MutableByteView out);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace walden::crypto
