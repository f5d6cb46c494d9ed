// The two directions of the codec, and how bytes move in each.
//
// What splits a record and what joins it again is one function template over the direction, so that
// the two cannot drift apart: `if constexpr` where they differ, and the same order of streams where
// they do not.
#pragma once

#include "base/bytes.h"
#include "codec/wal/container/stream.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace walden::codec::wal_codec {

enum class Direction : std::uint8_t {
    split,  ///< from the records to the streams
    join,   ///< from the streams to the records
};

/// Short copies move so many bytes at once, whatever their size: no branch on the size.
inline constexpr std::size_t copy_step = 32;
static_assert(copy_step <= Stream::slack);

/// Copies `size` bytes. Up to copy_step bytes may be read from `from` and written to `to`, so both
/// must be that much longer, and what lies behind in `to` must be written afterwards.
inline void copy_loosely(std::byte* to, const std::byte* from, std::size_t size) {
    if (size <= copy_step)
        std::memcpy(to, from, copy_step);
    else
        std::memcpy(to, from, size);
}

/// Copies `size` bytes, a multiple of 8, and not one more.
inline void copy_words(std::byte* to, const std::byte* from, std::size_t size) {
    if (size >= copy_step) {
        std::size_t at = 0;
        for (; at + copy_step <= size; at += copy_step) std::memcpy(to + at, from + at, copy_step);
        if (at < size) std::memcpy(to + size - copy_step, from + size - copy_step, copy_step);
    } else if (size >= 16) {
        std::memcpy(to, from, 16);
        std::memcpy(to + size - 16, from + size - 16, 16);
    } else if (size != 0) {
        std::memcpy(to, from, 8);
    }
}

/// Moves `size` bytes between a stream and a record; false if the stream has not got them. Joining,
/// up to copy_step bytes behind them are spoilt as well: records are written front to back.
template <Direction direction>
[[nodiscard]] inline bool move_loosely(Stream& stream, std::byte* record, std::size_t size) {
    if constexpr (direction == Direction::split) {
        copy_loosely(stream.extend(size), record, size);
    } else {
        const std::byte* const taken = stream.take(size);
        if (taken == nullptr) return false;
        copy_loosely(record, taken, size);
    }
    return true;
}

/// As move_loosely(), and nothing behind the bytes is touched.
template <Direction direction>
[[nodiscard]] inline bool move_exactly(Stream& stream, std::byte* record, std::size_t size) {
    if constexpr (direction == Direction::split) {
        std::memcpy(stream.extend(size), record, size);
    } else {
        const std::byte* const taken = stream.take(size);
        if (taken == nullptr) return false;
        std::memcpy(record, taken, size);
    }
    return true;
}

/// As move_exactly() for a multiple of 8 bytes, fast for few of them.
template <Direction direction>
[[nodiscard]] inline bool move_words(Stream& stream, std::byte* record, std::size_t size) {
    if constexpr (direction == Direction::split) {
        copy_words(stream.extend(size), record, size);
    } else {
        const std::byte* const taken = stream.take(size);
        if (taken == nullptr) return false;
        copy_words(record, taken, size);
    }
    return true;
}

/// One byte to or from a control stream.
template <Direction direction>
[[nodiscard]] inline bool move_flag(Stream& stream, std::uint8_t& flag) {
    if constexpr (direction == Direction::split) {
        *stream.extend(1) = static_cast<std::byte>(flag);
    } else {
        const std::byte* const taken = stream.take(1);
        if (taken == nullptr) return false;
        flag = static_cast<std::uint8_t>(*taken);
    }
    return true;
}

}  // namespace walden::codec::wal_codec
