// Numbers of variable length (LEB128): seven bits a byte, the lowest first, bit 7 set on all but
// the last.
#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <limits>

namespace walden {

inline constexpr std::size_t leb128_size_max = 10;

inline void append_leb128(Bytes& out, std::uint64_t value) {
    std::byte bytes[leb128_size_max];
    std::size_t size = 0;
    while (value >= 0x80) {
        bytes[size++] = static_cast<std::byte>(value | 0x80);
        value >>= 7;
    }
    bytes[size++] = static_cast<std::byte>(value);
    append(out, ByteView(bytes, size));
}

/// 0 with `reader.ok()` false if the bytes end first, say more than `max`, or are not the shortest
/// spelling of the number.
[[nodiscard]] inline std::uint64_t read_leb128(
    ByteReader& reader, std::uint64_t max = std::numeric_limits<std::uint64_t>::max()) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const std::uint64_t byte = reader.read<std::uint8_t>();
        if (!reader.ok() || (shift == 63 && byte > 1)) break;
        value |= (byte & 0x7F) << shift;
        if (byte >= 0x80) continue;
        if (value > max || (byte == 0 && shift > 0)) break;
        return value;
    }
    static_cast<void>(reader.read_bytes(std::numeric_limits<std::size_t>::max()));
    return 0;
}

}  // namespace walden
