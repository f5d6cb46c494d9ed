// Contents that the codec tests encode: pure functions of their arguments.
#pragma once

#include "base/bytes.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace walden::codec {

/// xorshift64*: the same bytes on every machine.
class Sequence {
public:
    explicit Sequence(std::uint64_t seed) : state_(seed * 2 + 1) {}

    std::uint64_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545F4914F6CDD1D;
    }

private:
    std::uint64_t state_;
};

inline Bytes zero_bytes(std::size_t size) {
    Bytes bytes(size);
    std::fill(bytes.begin(), bytes.end(), std::byte{0});
    return bytes;
}

inline Bytes noise(std::size_t size, std::uint64_t seed) {
    Bytes bytes(size);
    Sequence sequence(seed);
    for (std::byte& b : bytes) b = static_cast<std::byte>(sequence.next() >> 56);
    return bytes;
}

/// Words of a small vocabulary.
inline Bytes prose(std::size_t size, std::uint64_t seed) {
    static constexpr std::string_view words[] = {"checkpoint ", "redo ", "the ",
                                                 "segment ",    "of ",   "timeline ",
                                                 "commit ",     "at ",   "record "};
    Bytes bytes;
    Sequence sequence(seed);
    while (bytes.size() < size) append(bytes, as_bytes(words[sequence.next() % std::size(words)]));
    bytes.resize(size);
    return bytes;
}

/// The look of WAL: 8 KiB pages with a header, short records of rising positions and random
/// payload, now and then a full-page image with a hole of zeros, and the tail of a forced switch.
inline Bytes wal_like(std::size_t size, std::uint64_t seed) {
    constexpr std::size_t page_size = 8192;
    Bytes bytes;
    Sequence sequence(seed);
    ByteWriter writer(bytes);
    while (bytes.size() < size - size / 8) {
        if (bytes.size() % page_size < 40) {
            writer.write<std::uint32_t>(0x0000D110);
            writer.write<std::uint32_t>(1);
            writer.write<std::uint64_t>(bytes.size());
        }
        writer.write(static_cast<std::uint32_t>(24 + sequence.next() % 80));
        writer.write(static_cast<std::uint32_t>(700 + bytes.size() / 4096));
        writer.write<std::uint64_t>(bytes.size());
        writer.write<std::uint32_t>(0x00000A00);
        writer.write(static_cast<std::uint32_t>(sequence.next()));
        const std::size_t payload_size = sequence.next() % 40;
        writer.write_bytes(noise(payload_size, sequence.next()));
        if (sequence.next() % 200 == 0) {
            writer.write_bytes(noise(900, sequence.next()));
            writer.write_bytes(zero_bytes(3000));
        }
    }
    const std::size_t written = std::min(size, bytes.size());
    bytes.resize(size);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(written), bytes.end(), std::byte{0});
    return bytes;
}

}  // namespace walden::codec
