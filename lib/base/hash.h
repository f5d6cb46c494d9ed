// Fast checksums for local use. XXH3 can be forged by whoever chooses the bytes: it never names
// anything and never decides that user data is unchanged; crypto/content_id.h does that.
#pragma once

#include "base/bytes.h"

#include <cstdint>

namespace walden {

/// XXH3-64 of the bytes, about 10 GB/s.
[[nodiscard]] std::uint64_t xxh3_64(ByteView bytes);

/// CRC-32C (Castagnoli, the polynomial of PostgreSQL's pg_crc32c.h) of `bytes`, continuing from
/// `crc`. Pass the result of one call as `crc` of the next to checksum pieces; start with
/// crc32c_start and finish with crc32c_finish. Uses the CPU's instruction where there is one.
inline constexpr std::uint32_t crc32c_start = 0xFFFFFFFF;
[[nodiscard]] std::uint32_t crc32c_update(std::uint32_t crc, ByteView bytes);

[[nodiscard]] constexpr std::uint32_t crc32c_finish(std::uint32_t crc) {
    return crc ^ 0xFFFFFFFF;
}

[[nodiscard]] inline std::uint32_t crc32c(ByteView bytes) {
    return crc32c_finish(crc32c_update(crc32c_start, bytes));
}

/// CRC-32C of `first` with `second` behind it. WAL asks for two pieces of every record, most of
/// them some ten bytes long, where one call instead of two tells.
[[nodiscard]] std::uint32_t crc32c(ByteView first, ByteView second);

}  // namespace walden
