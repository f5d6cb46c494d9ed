// Pages of data files, taken apart: the codec of base backups.
//
// What a page says about itself is not stored: checksums are computed again, holes left out, line
// pointers follow from the items. What rows and index items have in common lies in columns. No
// catalogue is needed. The byte format is in codec/page/FORMAT.md.
#pragma once

#include "base/bytes.h"
#include "codec/types.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace walden::codec {

struct PageEncodeOptions {
    /// What compresses the streams.
    enum class Backend : std::uint8_t { zstd, lz4 };

    std::size_t page_size = 8192;  ///< of others than 8192 bytes no page is taken apart
    int level = 1;                 ///< zstd's, from 1 to 19; lz4 ignores it
    Backend backend = Backend::zstd;
};

/// A unit has at most so many bytes: 128 pages of 8 KiB.
inline constexpr std::size_t page_unit_size_max = std::size_t{1} << 20;

/// Encodes `plain`, 1 to 128 pages one behind the other, which need not be neighbours or of one
/// relation. The result is decoded again and compared. Where that would not save anything, where a
/// page is cut short or of another size, and for what does not come back, the result is that of
/// encode() with the back end as method.
///
/// `block_numbers` is empty, or has each page's number in its fork, counted through all segment
/// files: with it checksums that are right are not stored, and whoever decodes must give the same
/// numbers again. Throws as encode(). Safe from several threads; about 10 MiB of memory for each
/// that encodes at once are kept.
[[nodiscard]] Encoded encode_pages(ByteView plain, const PageEncodeOptions& options,
                                   std::span<const std::uint32_t> block_numbers = {});

/// Fills `plain` from what encode_pages() made as CodecId::page. The encoded bytes may be hostile:
/// time and memory are bounded by the sizes of both. Throws Error(corrupt) for what does not decode
/// to exactly that many bytes, Error(usage) for a later version and if block numbers are needed
/// that are not given. `plain` is undefined after a failure. Safe from several threads.
void decode_pages(ByteView encoded, MutableByteView plain,
                  std::span<const std::uint32_t> block_numbers = {});

/// Throws as decode_pages() for a wrong header or hash; decodes nothing and takes no memory.
void check_pages(ByteView encoded, std::size_t plain_size);

}  // namespace walden::codec
