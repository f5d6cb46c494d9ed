// Numbers of variable length: seven bits a byte, the lowest first, bit 7 set on all but the last
// (LEB128).
#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <limits>

namespace walden {

inline void append_varint(Bytes& out, std::uint64_t value) {
    std::byte bytes[10];
    std::size_t size = 0;
    while (value >= 0x80) {
        bytes[size++] = static_cast<std::byte>(value | 0x80);
        value >>= 7;
    }
    bytes[size++] = static_cast<std::byte>(value);
    append(out, ByteView(bytes, size));
}

/// 0 with `reader.ok()` false if the bytes end first, say more than 64 bits, or end in a zero that
/// a shorter spelling would not have: each number has one spelling.
[[nodiscard]] inline std::uint64_t read_varint(ByteReader& reader) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const std::uint64_t byte = reader.read<std::uint8_t>();
        if (!reader.ok() || (shift == 63 && byte > 1) || (shift > 0 && byte == 0)) break;
        value |= (byte & 0x7F) << shift;
        if (byte < 0x80) return value;
    }
    static_cast<void>(reader.read_bytes(std::numeric_limits<std::size_t>::max()));
    return 0;
}

}  // namespace walden
