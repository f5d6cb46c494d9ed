// Sixteen numbers of 1, 2, 4 or 8 bytes <-> as many planes of sixteen bytes.
//
// With the compilers' own vectors of 16 bytes: what every x86-64 and aarch64 has, so nothing is
// dispatched. Zipping the two halves of a set of lanes doubles their width: bytes of two planes
// become numbers of 2 bytes, those of four numbers of 4 bytes. Unzipping is the way back.
#pragma once

#include "base/bytes.h"

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace walden::codec::wal_codec {

inline constexpr std::size_t lane_count = 16;

using Lanes8 = std::uint8_t __attribute__((vector_size(16)));

/// 16 bytes of numbers of type T.
template <std::unsigned_integral T>
struct LanesHolder {
    typedef T Type __attribute__((vector_size(16)));  // gcc ignores the attribute behind `using`
};

template <std::unsigned_integral T>
using LanesOf = typename LanesHolder<T>::Type;

/// Where it is not, the lanes of a number would lie the other way round.
inline constexpr bool lanes_are_usable = std::endian::native == std::endian::little;

[[nodiscard]] inline Lanes8 zip_low(Lanes8 a, Lanes8 b) {
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

[[nodiscard]] inline Lanes8 zip_high(Lanes8 a, Lanes8 b) {
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                   31);
}

/// The even bytes of `a`, then those of `b`.
[[nodiscard]] inline Lanes8 even_bytes(Lanes8 a, Lanes8 b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}

[[nodiscard]] inline Lanes8 odd_bytes(Lanes8 a, Lanes8 b) {
    return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

/// `width` vectors: first as planes (plane b holds byte b of each number), then as the numbers in
/// memory order, or the other way round.
template <std::size_t Width>
using LaneSet = std::array<Lanes8, Width>;

/// Planes to numbers. One step zips plane k with plane k + Width / 2, lane by lane of bytes: after
/// log2(Width) steps each byte is where its number has it.
template <std::size_t Width>
inline void planes_to_numbers(LaneSet<Width>& set) {
    for (std::size_t step = 1; step < Width; step *= 2) {
        LaneSet<Width> zipped;
        for (std::size_t k = 0; k < Width / 2; ++k) {
            zipped[2 * k] = zip_low(set[k], set[k + Width / 2]);
            zipped[2 * k + 1] = zip_high(set[k], set[k + Width / 2]);
        }
        set = zipped;
    }
}

/// Numbers to planes, the steps above backwards.
template <std::size_t Width>
inline void numbers_to_planes(LaneSet<Width>& set) {
    for (std::size_t step = 1; step < Width; step *= 2) {
        LaneSet<Width> parted;
        for (std::size_t k = 0; k < Width / 2; ++k) {
            parted[k] = even_bytes(set[2 * k], set[2 * k + 1]);
            parted[k + Width / 2] = odd_bytes(set[2 * k], set[2 * k + 1]);
        }
        set = parted;
    }
}

}  // namespace walden::codec::wal_codec
