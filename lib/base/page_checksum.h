// The checksum of PostgreSQL's data pages (pd_checksum, src/include/storage/checksum_impl.h).
#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <cstdint>

namespace walden {

/// Where a page keeps its checksum, in two bytes; the sum itself takes them as zero.
inline constexpr std::size_t page_checksum_offset = 8;

/// Pages are multiples of so many bytes.
inline constexpr std::size_t page_checksum_unit = 128;

/// The checksum that PostgreSQL stores in `page` as block `block_number` of its fork: from 1 to
/// 65535. `page` is one whole page, a multiple of page_checksum_unit bytes and at least one.
/// PostgreSQL leaves pages that were never written (all zero) without one. A page of 8 KiB takes
/// 0.3 us with AVX2.
///
/// The block number counts through the segment files of a fork: in file "16384.2" the first page is
/// block 2 * 131072 where segments have 1 GiB.
[[nodiscard]] std::uint16_t page_checksum(ByteView page, std::uint32_t block_number);

namespace portable {

/// The same for any CPU: what the tests compare with.
[[nodiscard]] std::uint16_t page_checksum(ByteView page, std::uint32_t block_number);

}  // namespace portable

}  // namespace walden
