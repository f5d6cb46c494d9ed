// Compressing chunks of streams for the WAL codec: one chunk is one zstd frame or one LZ4 block of
// any size up to some MiB, and what it is made of decides how it is compressed.
//
// Internal to lib/codec and its tests, as codec/blocks.h.
#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace walden::codec {

/// What a chunk is made of.
enum class ChunkKind : std::uint8_t {
    text,   ///< rows, tuples, names: repeats are what is there to be found
    plane,  ///< the same byte of many rows: hardly any repeats, but few different values
};

/// What compresses chunks. Safe from several threads.
struct ChunkCodec {
    /// Compresses `plain` into `out` and returns the size; nullopt if it does not fit. The same
    /// arguments always give the same bytes. `level` is zstd's, from 1 to 19; LZ4 ignores it.
    std::optional<std::size_t> (*compress)(ByteView plain, MutableByteView out, ChunkKind kind,
                                           int level);

    /// Decompresses to exactly `out.size()` bytes; false if `compressed`, which may be hostile, is
    /// anything else. The content of `out` is then undefined.
    bool (*decompress)(ByteView compressed, MutableByteView out);
};

[[nodiscard]] const ChunkCodec& zstd_chunk_codec();
[[nodiscard]] const ChunkCodec& lz4_chunk_codec();

}  // namespace walden::codec
