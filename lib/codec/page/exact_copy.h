// Copies of a few bytes that touch no byte besides.
#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <cstring>

namespace walden::codec::page_codec {

/// memcpy() for sizes that differ from call to call and are mostly small: pieces of a fixed size
/// that overlap, instead of a call.
inline void copy_exactly(std::byte* to, const std::byte* from, std::size_t size) {
    if (size >= 32) {
        std::size_t at = 0;
        for (; at + 32 <= size; at += 32) std::memcpy(to + at, from + at, 32);
        std::memcpy(to + size - 32, from + size - 32, 32);
    } else if (size >= 16) {
        std::memcpy(to, from, 16);
        std::memcpy(to + size - 16, from + size - 16, 16);
    } else if (size >= 8) {
        std::memcpy(to, from, 8);
        std::memcpy(to + size - 8, from + size - 8, 8);
    } else if (size >= 4) {
        std::memcpy(to, from, 4);
        std::memcpy(to + size - 4, from + size - 4, 4);
    } else if (size > 0) {
        to[0] = from[0];
        to[size / 2] = from[size / 2];
        to[size - 1] = from[size - 1];
    }
}

}  // namespace walden::codec::page_codec
