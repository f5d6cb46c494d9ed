// The values that codecs are asked with and answer with: ids, limits, results, observers.
//
// Apart from codec.h, so that the codecs below it need not know what stands above them.
#pragma once

#include "base/bytes.h"
#include "codec/plain_reason.h"

#include <cstddef>
#include <cstdint>
#include <functional>

namespace walden::codec {

/// The number stored in containers. Never reused, never dropped from decode().
enum class CodecId : std::uint8_t {
    none = 0,       ///< encoded bytes are the plain bytes
    zstd = 1,       ///< blocks of independent zstd frames
    lz4 = 2,        ///< blocks of LZ4 blocks
    zero_tail = 3,  ///< reserved: zero runs are a block kind inside zstd and lz4
    wal = 4,        ///< WAL taken apart into streams (codec/wal/FORMAT.md)
    page = 5,       ///< pages of data files taken apart (codec/page/FORMAT.md)
};

/// The largest content; see vault/object_storage.h.
inline constexpr std::size_t plain_size_max = std::size_t{64} << 20;

struct Encoded {
    CodecId codec = CodecId::none;  ///< what was used: `none` where the method did not help
    Bytes bytes;
    PlainReason plain_reason = PlainReason::none;  ///< method `wal`: why it was not used
};

/// Called with each part of the plain bytes as soon as it is decoded, on one of the threads that
/// work on it: what is in the cache is hashed in half the time. `offset` is a multiple of
/// decode_step_size, and the part ends at another one or with the content.
using DecodeObserver = std::function<void(std::size_t offset, ByteView part)>;

inline constexpr std::size_t decode_step_size = std::size_t{256} << 10;

}  // namespace walden::codec
