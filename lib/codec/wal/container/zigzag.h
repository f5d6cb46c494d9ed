// Differences of unsigned numbers of 1, 2, 4 and 8 bytes, small ones of either sign being small
// numbers: 0, -1, 1, -2 ... become 0, 1, 2, 3 ...
#pragma once

#include <concepts>
#include <limits>

namespace walden::codec::wal_codec {

/// `value` - `before` modulo 2^bits.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T zigzag_difference(T value, T before) {
    const T difference = static_cast<T>(value - before);
    const T sign = static_cast<T>(-(difference >> (std::numeric_limits<T>::digits - 1)));
    return static_cast<T>(static_cast<T>(difference << 1) ^ sign);
}

/// The value whose zigzag_difference() to `before` is `coded`.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T zigzag_apply(T coded, T before) {
    const T sign = static_cast<T>(-(coded & 1));
    return static_cast<T>(before + static_cast<T>((coded >> 1) ^ sign));
}

}  // namespace walden::codec::wal_codec
