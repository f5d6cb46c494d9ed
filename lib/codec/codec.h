// Codecs: one whole content in, its encoded bytes out, and back.
//
// A codec sees the whole content (a segment, an extent of a base backup) at once and may arrange
// it as it likes; the container seals the encoded bytes afterwards. What a decoder needs besides
// the encoded bytes is the codec's id and the exact plain size, both authenticated by the
// container. The byte formats are in codec/FORMAT.md.
#pragma once

#include "base/bytes.h"
#include "codec/types.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace walden::codec {

/// The name of a codec, also of a reserved one; "unknown" for other numbers.
[[nodiscard]] std::string_view to_string(CodecId id);

struct EncodeOptions {
    CodecId method = CodecId::zstd;
    int level = 1;  ///< zstd's, from 1 to 19: of the method, or of what is behind `wal`
    std::size_t worker_count = 1;  ///< threads that may be used; the bytes do not depend on it
    /// What compresses the streams of `wal`, and what is not WAL: zstd or lz4.
    CodecId wal_back_end = CodecId::zstd;
};

/// Encodes `plain`, decodes the result again in memory and compares it, block by block, before it
/// returns. The result is never larger than `plain`: where the method saves nothing it is `none`.
/// What is not WAL, or not WAL as the method `wal` knows it, is encoded by that method's back end
/// as if that had been asked for, and the result says why. Throws Error(corrupt) if the comparison
/// fails (a codec or memory fault: nothing must be stored), Error(usage) for a level outside the
/// method's range, a method that cannot be written, or more than plain_size_max bytes. Safe from
/// several threads.
[[nodiscard]] Encoded encode(ByteView plain, const EncodeOptions& options);

/// Decodes to exactly `plain_size` bytes (at most plain_size_max), replacing `out`. The encoded
/// bytes may be hostile: time and memory are bounded by their size and plain_size, and no memory is
/// taken before header and block table are found right. Throws Error(corrupt) if they do not decode
/// to exactly that many bytes, Error(usage) for a codec id or layout version that this version does
/// not know ("upgrade walden"). After a failure `out` is undefined. That the bytes are those that
/// were encoded is for the container to prove: a flipped bit may decode to something else.
/// Safe from several threads.
void decode(CodecId codec, ByteView encoded, std::size_t plain_size, std::size_t worker_count,
            Bytes& out);

/// As decode(), into memory of the caller: the plain size is `out.size()`.
void decode_into(
    CodecId codec, ByteView encoded, std::size_t worker_count, MutableByteView out,
    const DecodeObserver& observe = [](std::size_t, ByteView) {});

/// As decode_into() with one thread, for a unit of a base backup: what encode_pages() made of up to
/// page_unit_size_max bytes with these block numbers (codec/page/page_codec.h).
void decode_unit(CodecId codec, ByteView encoded, MutableByteView plain,
                 std::span<const std::uint32_t> block_numbers = {});

/// As decode_into() for a content of `plain_size` bytes, at most plain_size_max, that nobody keeps:
/// what `observe` sees is gone when that returns, and a WAL content never lies in memory as a
/// whole.
void show(CodecId codec, ByteView encoded, std::size_t plain_size, std::size_t worker_count,
          const DecodeObserver& observe);

}  // namespace walden::codec
