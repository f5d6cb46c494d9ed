// The header of a WAL page, PostgreSQL 13 to 18 (src/include/access/xlog_internal.h).
//
//   offset size
//     0     2   magic, one per major version
//     2     2   flags
//     4     4   timeline
//     8     8   address: the LSN of the page's first byte
//    16     4   bytes of a record begun on an earlier page that are still to come (0 without the
//               continuation flag)
//    20     4   zero (alignment)
// and only on the first page of a segment:
//    24     8   system identifier
//    32     4   segment size
//    36     4   WAL page size
//
// All numbers are little-endian, as on every platform that walden supports.
#pragma once

#include "base/bytes.h"
#include "wal/file_name.h"
#include "wal/lsn.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace walden::wal {

inline constexpr std::uint32_t short_page_header_size = 24;
inline constexpr std::uint32_t long_page_header_size = 40;
inline constexpr std::uint32_t default_page_size = 8192;

inline constexpr std::uint32_t page_flags_offset = 2;
inline constexpr std::uint32_t page_timeline_offset = 4;
inline constexpr std::uint32_t page_address_offset = 8;
inline constexpr std::uint32_t page_remaining_offset = 16;
inline constexpr std::uint32_t page_padding_offset = 20;
inline constexpr std::uint32_t system_identifier_offset = 24;
inline constexpr std::uint32_t segment_size_offset = 32;
inline constexpr std::uint32_t page_size_offset = 36;

/// What WAL of one major version looks like where versions differ (facts for codecs included).
struct WalVersion {
    std::uint16_t magic = 0;
    std::uint8_t major = 0;
    std::uint8_t image_applies = 0;     ///< bit of an image header: the image is to be restored
    std::uint8_t image_compressed = 0;  ///< any of these bits: the image is compressed
    bool has_top_level_xid = false;     ///< block id 252
    bool has_custom_resource_managers = false;  ///< ids 128 to 255
    /// Info of the record that drops a database. Before 15; in 15 that number logs a creation.
    std::uint8_t drops_database = 0x10;
    bool has_level_in_checkpoint = false;  ///< wal_level
};

/// The versions that walden knows, oldest first.
[[nodiscard]] std::span<const WalVersion> wal_versions();

/// nullptr for a magic of no version from 13 to 18.
[[nodiscard]] const WalVersion* find_wal_version(std::uint16_t magic);

/// XLP_*
enum PageFlag : std::uint16_t {
    first_is_continuation = 1,
    has_long_header = 2,
    backup_block_removable = 4,
    first_is_overwrite = 8,  ///< the continuation due here was lost in a crash and never comes
    all_page_flags = 15,
};

struct PageHeader {
    std::uint16_t magic = 0;
    std::uint16_t flags = 0;
    TimelineId timeline = 0;
    Lsn address{};
    std::uint32_t remaining_length = 0;
    std::uint32_t padding = 0;
};

/// Reads the header at `page`, of which short_page_header_size bytes must be readable. Checks
/// nothing.
[[nodiscard]] PageHeader load_page_header(const std::byte* page);

/// What the first page of a segment says about the segment; self-consistent, not yet compared with
/// anything.
struct SegmentHeader {
    std::uint8_t major_version = 0;
    PageHeader page{};
    std::uint64_t system_identifier = 0;
    SegmentSize segment_size{};
    std::uint32_t page_size = 0;  ///< bytes, a power of two from 1 KiB to 64 KiB
};

struct SegmentHeaderResult {
    std::optional<SegmentHeader> header;
    std::string reason;  ///< why there is none; one line for a message
};

/// Parses the beginning of a segment file, of which the first long_page_header_size bytes suffice.
[[nodiscard]] SegmentHeaderResult parse_segment_header(ByteView file);

}  // namespace walden::wal
