// The WAL codec as a whole: split, container, and back.
#pragma once

#include "base/bytes.h"
#include "codec/plain_reason.h"
#include "codec/types.h"
#include "codec/wal/container/stream_container.h"

#include <cstddef>

namespace walden::codec::wal_codec {

struct WalEncoded {
    PlainReason reason = PlainReason::none;  ///< other than none: nothing was encoded
    Bytes bytes;                             ///< smaller than the plain bytes
};

/// Encodes `plain`, decodes the result again and compares. Whatever is not WAL, or does not come
/// back, is an outcome and not a failure. Safe from several threads; the memory, about four times
/// the plain bytes, is kept for the next content, for two of them at once.
[[nodiscard]] WalEncoded encode_wal(ByteView plain, const ContainerOptions& options,
                                    ContainerShares* shares = nullptr);

/// Throws Error(corrupt) unless `encoded` is whole and of a content of `plain_size` bytes,
/// Error(usage) for a later version. Decodes nothing and takes no memory.
void check_wal(ByteView encoded, std::size_t plain_size);

/// Fills `out` from `encoded`, which may be hostile: time and memory are bounded by the sizes of
/// both. Throws as check_wal(), and Error(corrupt) for what does not decode; `out` is undefined
/// then, and `observe` may have seen a part of it. Safe from several threads; the memory is kept.
void decode_wal_into(ByteView encoded, std::size_t worker_count, MutableByteView out,
                     const DecodeObserver& observe);

/// The same for a content of `plain_size` bytes that nobody keeps: `observe` sees all of it.
void show_wal(ByteView encoded, std::size_t plain_size, std::size_t worker_count,
              const DecodeObserver& observe);

}  // namespace walden::codec::wal_codec
