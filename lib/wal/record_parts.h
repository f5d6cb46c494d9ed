// What a record says about itself behind its first 24 bytes: the blocks that it changes, and where
// its data lies.
//
// Pieces that each begin with an id follow XLogRecord (src/include/access/xlogrecord.h):
//
//   id 0..32   block reference: fork and flags (1), length of the block's data (2);
//              with flag 0x10 an image: its length (2), hole offset (2), image flags (1), and if it
//              is packed and has a hole the hole's length (2);
//              without flag 0x80 the relation: tablespace, database, file (12); block number (4)
//   id 253     replication origin (2)
//   id 252     top-level transaction (4), from PostgreSQL 14
//   id 255     main data of up to 255 bytes: length (1); id 254: length (4)
//
// then, in the same order, image and data of each block, and last the main data. What differs
// between versions is in WalVersion (page_header.h) and nowhere else.
#pragma once

#include "base/bytes.h"
#include "wal/page_header.h"
#include "wal/record.h"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

namespace walden::wal {

/// One fork of one relation: the files base/5/16384, base/5/16384.1, ... are one of them.
struct RelationFork {
    std::uint32_t tablespace = 0;
    std::uint32_t database = 0;  ///< 0 for what all databases share
    std::uint32_t relation = 0;  ///< relfilenode, the number in the file's name
    std::uint8_t fork = 0;       ///< 0 main, 1 free space map, 2 visibility map, 3 init

    friend auto operator<=>(const RelationFork&, const RelationFork&) = default;
};

inline constexpr std::uint8_t main_fork = 0;
/// MAX_FORKNUM. A block reference has four bits for it; higher ones exist in no version.
inline constexpr std::uint8_t fork_max = 3;

struct BlockPart {
    RelationFork relation;
    std::uint32_t number = 0;
    std::uint8_t id = 0;
    bool has_image = false;
    std::uint16_t data_length = 0;
    std::uint32_t data_offset = 0;  ///< from the record's first byte
};

inline constexpr std::size_t record_blocks_max = 33;

/// No header is longer: 33 blocks of 27 bytes, origin, top-level transaction, main data's length.
inline constexpr std::size_t record_parts_size_max = record_header_size + 33 * 27 + 3 + 5 + 5;

enum class PartsState : std::uint8_t {
    whole,
    cut,        ///< the bytes ended before the header did; blocks seen so far are there
    malformed,  ///< no record of this version looks like that
};

struct RecordParts {
    std::array<BlockPart, record_blocks_max> blocks;  ///< the first block_count are set
    std::uint8_t block_count = 0;
    std::uint32_t top_xid = 0;  ///< top-level transaction where the record says it
    std::uint32_t main_length = 0;
    std::uint32_t main_offset = 0;  ///< from the record's first byte

    [[nodiscard]] std::span<const BlockPart> seen_blocks() const {
        return std::span(blocks).first(block_count);
    }
};

/// Reads the parts of a record of `total_length` bytes, of which `begin` are the first; no more
/// than record_parts_size_max of them are looked at. Hostile bytes are fine. Some 10 ns.
[[nodiscard]] PartsState read_record_parts(ByteView begin, std::uint32_t total_length,
                                           const WalVersion& version, RecordParts& parts);

/// Bytes of a record that lies in pieces, from `offset` on, `size` of them or as many as there are.
/// A view into the pieces where one of them holds all, else into `scratch`, which is overwritten.
[[nodiscard]] ByteView bytes_of_pieces(std::span<const ByteView> pieces, std::size_t offset,
                                       std::size_t size, Bytes& scratch);

}  // namespace walden::wal
