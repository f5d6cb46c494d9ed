// The block references and data headers of a WAL record: which of their bytes are numbers that
// differ from record to record, and which say what kind of record this is.
//
// Behind the 24 bytes of XLogRecord (wal/record.h) follow, in this order, pieces that each begin
// with an id (src/include/access/xlogrecord.h; src/backend/access/transam/xlogreader.c,
// DecodeXLogRecord):
//
//   id 0..32   block reference: fork and flags (1), length of the block's data (2);
//              with flag 0x10 an image: its length (2), hole offset (2), image flags (1), and if it
//              is packed and has a hole the hole's length (2);
//              without flag 0x80 the relation: tablespace, database, file (12);
//              block number (4)
//   id 253     replication origin (2)
//   id 252     top-level transaction (4), from PostgreSQL 14
//   id 255     main data of up to 255 bytes: length (1); id 254: length (4)
//
// and then, in the same order, images and data of the blocks, and the main data.
#pragma once

#include "base/bytes.h"
#include "wal/page_header.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace walden::codec::wal_codec {

inline constexpr std::size_t relation_size = 12;

enum BlockFlag : std::uint8_t {
    fork_mask = 0x0F,
    has_image = 0x10,
    has_data = 0x20,
    same_relation = 0x80,
};

/// BKPIMAGE_HAS_HOLE, the same bit in all versions.
inline constexpr std::uint8_t image_has_hole = 1;

/// Offsets count from the record's first byte; 0 stands for "there is none".
struct BlockShape {
    std::uint8_t id = 0;
    std::uint8_t flags = 0;
    std::uint8_t image_flags = 0;
    bool is_image_packed = false;
    std::uint16_t data_length_at = 0;
    std::uint16_t image_length_at = 0;
    std::uint16_t hole_offset_at = 0;
    std::uint16_t hole_length_at = 0;
    std::uint16_t relation_at = 0;  ///< that of an earlier block where the relation is the same
    std::uint16_t block_number_at = 0;
};

inline constexpr std::size_t blocks_max = 33;

/// 33 blocks of 27 bytes, origin, top-level transaction and main data at most.
inline constexpr std::size_t header_size_max = 1024;

struct HeaderShape {
    std::array<BlockShape, blocks_max> blocks;
    std::uint8_t block_count = 0;
    std::uint8_t main_length_width = 0;  ///< 0 without main data, else 1 or 4
    std::uint16_t main_length_at = 0;
    std::uint16_t top_xid_at = 0;
    std::uint16_t size = 0;  ///< of the whole header, XLogRecord included
};

/// Reads the header of `record`, from XLogRecord to the last byte of its data, as `version` writes
/// it. False if it is not understood or its lengths do not add up to the record's size; `shape` is
/// undefined then. Hostile bytes are fine. A header with all its numbers zero and nothing behind it
/// has the same shape.
[[nodiscard]] bool read_header_shape(ByteView record, const wal::WalVersion& version,
                                     HeaderShape& shape);

}  // namespace walden::codec::wal_codec
