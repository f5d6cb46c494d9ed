// The header of a container; internal to it. See «Container» in codec/wal/FORMAT.md.
#pragma once

#include "codec/chunks.h"
#include "codec/wal/container/stream_container.h"

#include <cstddef>
#include <cstdint>

namespace walden::codec::wal_codec {

inline constexpr std::uint8_t container_version = 1;

/// Layout version and hash; the hash covers everything behind it.
inline constexpr std::size_t hash_offset = 1;
inline constexpr std::size_t hashed_offset = hash_offset + 8;

/// Directory, plan and small chunks: plain and stored size of each are in the header. Equal sizes
/// mean that it is stored as it is.
inline constexpr std::size_t section_count = 3;

inline constexpr std::size_t header_size = hashed_offset + 1 + 4 + section_count * 8;

[[nodiscard]] inline const ChunkCodec& chunk_codec(BackEnd back_end) {
    return back_end == BackEnd::lz4 ? lz4_chunk_codec() : zstd_chunk_codec();
}

}  // namespace walden::codec::wal_codec
