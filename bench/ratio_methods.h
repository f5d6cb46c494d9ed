// What the ratio benchmark compares: the WAL codec, and the compressors alone, each segment as one
// unit, which is how pgBackRest and WAL-G store them.
#pragma once

#include "base/bytes.h"

#include <functional>
#include <string>
#include <vector>

namespace walden::bench {

/// One way to store a segment. Contexts and memory are kept, as a resident process keeps them. One
/// thread at a time.
struct RatioMethod {
    std::string name;  ///< "wal-zstd-1", "zstd-3", "gzip-6"

    /// Replaces `out`. Throws Error if it cannot.
    std::function<void(ByteView plain, Bytes& out)> encode;

    /// The same and decoded again and compared; empty where nobody does that.
    std::function<void(ByteView plain, Bytes& out)> encode_and_verify;

    /// `out` has the plain size.
    std::function<void(ByteView encoded, MutableByteView out)> decode;
};

/// wal over zstd-1, over zstd-3 and over lz4; zstd 1, 3 and 9, lz4, gzip 6.
[[nodiscard]] std::vector<RatioMethod> ratio_methods();

}  // namespace walden::bench
