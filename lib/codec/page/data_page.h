// A page of a data file as src/include/storage/bufpage.h lays it out, the same in PostgreSQL 13 to
// 18: header, line pointers, hole, items, special space.
//
//   offset size   header (PageHeaderData)
//     0     8     LSN, the upper half first
//     8     2     checksum (base/page_checksum.h)
//    10     2     flags
//    12     2     lower: where the line pointers end and the hole begins
//    14     2     upper: where the hole ends and items begin
//    16     2     special: where items end and the special space begins
//    18     2     page size and layout version
//    20     4     oldest transaction that left something to prune
//
// A line pointer has 15 bits of offset, 2 bits of state and 15 bits of length, the lowest first. A
// length of 0 means that there is no item; what its offset says is kept as it is.
#pragma once

#include "base/bytes.h"

#include <bit>
#include <cstddef>
#include <cstdint>

namespace walden::codec::page_codec {

/// The only page size that is taken apart; files with other pages are stored by a plain method.
inline constexpr std::uint32_t data_page_size = 8192;

inline constexpr std::uint32_t page_header_size = 24;
inline constexpr std::uint32_t page_flags_at = 10;
inline constexpr std::uint32_t lower_at = 12;
inline constexpr std::uint32_t upper_at = 14;
inline constexpr std::uint32_t special_at = 16;
inline constexpr std::uint32_t size_version_at = 18;
inline constexpr std::uint32_t prune_xid_at = 20;

inline constexpr std::uint32_t pointer_size = 4;
inline constexpr std::uint32_t items_max = (data_page_size - page_header_size) / pointer_size;

/// Items begin at multiples of it.
inline constexpr std::uint32_t item_alignment = 8;

[[nodiscard]] constexpr std::uint32_t padded_size(std::uint32_t length) {
    return (length + item_alignment - 1) & ~(item_alignment - 1);
}

inline constexpr std::uint32_t pointer_offset_mask = 0x7FFF;
inline constexpr unsigned pointer_length_shift = 17;

[[nodiscard]] constexpr std::uint32_t offset_in(std::uint32_t pointer) {
    return pointer & pointer_offset_mask;
}

[[nodiscard]] constexpr std::uint32_t length_in(std::uint32_t pointer) {
    return pointer >> pointer_length_shift;
}

/// State and length, with no offset.
[[nodiscard]] constexpr std::uint32_t without_offset(std::uint32_t pointer) {
    return pointer & ~pointer_offset_mask;
}

/// LP_NORMAL
inline constexpr std::uint32_t normal_state = 1;

[[nodiscard]] constexpr std::uint32_t state_in(std::uint32_t pointer) {
    return pointer >> 15 & 3;
}

[[nodiscard]] inline std::byte* pointer_place(std::byte* page, std::uint32_t index) {
    return page + page_header_size + index * pointer_size;
}

[[nodiscard]] inline std::uint32_t load_pointer(const std::byte* page, std::uint32_t index) {
    return load_le<std::uint32_t>(page + page_header_size + index * pointer_size);
}

/// Numbers of two halves of which the upper lies first, as in LSNs and block ids.
[[nodiscard]] inline std::uint64_t load_lsn(const std::byte* from) {
    return std::rotl(load_le<std::uint64_t>(from), 32);
}

inline void store_lsn(std::byte* to, std::uint64_t lsn) {
    store_le<std::uint64_t>(to, std::rotl(lsn, 32));
}

[[nodiscard]] inline std::uint32_t load_block(const std::byte* from) {
    return std::rotl(load_le<std::uint32_t>(from), 16);
}

inline void store_block(std::byte* to, std::uint32_t block) {
    store_le<std::uint32_t>(to, std::rotl(block, 16));
}

/// A tuple id: block (4) and offset (2).
inline constexpr std::uint32_t tid_size = 6;

}  // namespace walden::codec::page_codec
