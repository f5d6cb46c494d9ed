// SHA-256 (FIPS 180-4) for layers below crypto: checksums that PostgreSQL writes. Nothing that has
// to withstand an attacker is decided by it there.
#pragma once

#include "base/bytes.h"

#include <array>
#include <cstdint>

namespace walden {

using Sha256Digest = std::array<std::byte, 32>;

/// Piece by piece; about 250 MB/s.
class Sha256 {
public:
    void update(ByteView bytes);

    /// Ends the message; the object is not used afterwards.
    [[nodiscard]] Sha256Digest finish();

private:
    void take_block(const std::byte* block);

    std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<std::byte, 64> block_{};
    std::size_t filled_ = 0;
    std::uint64_t size_ = 0;
};

}  // namespace walden
