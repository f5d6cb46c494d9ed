// How many bits a column of bytes would cost an ideal order-0 coder, estimated from a sample.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace walden::codec::wal_codec {

/// Fractions of a bit that costs are counted in.
inline constexpr std::uint32_t cost_per_bit = 256;

/// At most so many values are counted at once.
inline constexpr std::size_t entropy_sample_max = 512;

/// Counts values one after the other and forgets them all again. One thread at a time; the counters
/// are kept so that forgetting costs no more than counting did.
class ByteEntropy {
public:
    /// The cost of all `count` values together (at most entropy_sample_max) under their own
    /// distribution, in 1 / cost_per_bit: count * log2(count) less the sum of n * log2(n) over the
    /// values that occur n times. What learning the distribution costs is not in it.
    [[nodiscard]] std::uint32_t cost(const std::uint8_t* values, std::size_t count);

private:
    std::array<std::uint16_t, 256> counts_{};
};

}  // namespace walden::codec::wal_codec
