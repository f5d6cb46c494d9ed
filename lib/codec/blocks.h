// The block layout that the zstd and lz4 codecs share (codec/FORMAT.md), over any block codec.
//
// Internal to lib/codec and its tests: everybody else uses codec/codec.h.
#pragma once

#include "base/bytes.h"
#include "codec/types.h"

#include <cstddef>
#include <functional>
#include <optional>

namespace walden::codec {

/// What compresses single blocks. Both functions must be safe to call from several threads.
struct BlockCodec {
    /// Compresses `plain` into `out` and returns the size; nullopt if it does not fit. The same
    /// plain bytes and out size always give the same result.
    std::function<std::optional<std::size_t>(ByteView plain, MutableByteView out)> compress;

    /// Decompresses to exactly `out.size()` bytes; false if `compressed`, which may be hostile,
    /// is anything else. The content of `out` is then undefined.
    std::function<bool(ByteView compressed, MutableByteView out)> decompress;
};

/// zstd frames; `level` is from zstd_level_min to zstd_level_max and used by compress only.
[[nodiscard]] BlockCodec zstd_block_codec(int level);

inline constexpr int zstd_level_min = 1;
inline constexpr int zstd_level_max = 19;

/// LZ4 blocks.
[[nodiscard]] BlockCodec lz4_block_codec();

/// 2 MiB. Measured on 16 MiB segments of WAL against a whole segment as one block, zstd-1 writes at
/// most 0.3 % more and lz4 0.2 % (1 MiB: up to 0.7 % and 0.5 %; 512 KiB: 1.4 % and 1.0 %), and 8
/// blocks keep two or four threads busy to the end. zstd-3 loses 0.3 % on an application's WAL and
/// 2 % on full-page images of pgbench, whose distant pages are unusually alike.
inline constexpr unsigned block_size_log = 21;
inline constexpr std::size_t block_size = std::size_t{1} << block_size_log;

/// Encodes `plain` (at most 64 MiB), decoding each block again and comparing it while it is in
/// the cache. Throws Error(corrupt) if a block does not come back.
[[nodiscard]] Bytes encode_blocks(ByteView plain, const BlockCodec& codec,
                                  std::size_t worker_count);

/// Throws Error(corrupt) unless the header and table of `encoded` are valid for a content of
/// `plain_size` bytes, Error(usage) for a later layout. Touches only header and table.
void check_blocks(ByteView encoded, std::size_t plain_size);

/// Fills `out` from `encoded`; throws as check_blocks(), and Error(corrupt) for a block that does
/// not decode. `out` is undefined after a failure, and `observe` may have seen a part of it.
void decode_blocks(ByteView encoded, const BlockCodec& codec, std::size_t worker_count,
                   MutableByteView out, const DecodeObserver& observe);

}  // namespace walden::codec
