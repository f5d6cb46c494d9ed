// Which blocks a segment's records change: kept with the segment's entry, so that a backup finds
// what has changed since the one before without reading WAL or data files.
//
// A list says of each fork of a relation which blocks records refer to, and from which block on all
// must be taken as changed, because the file was created, truncated or dropped (its limit). A list
// may say more than what changed, never less: it is made coarser before it grows too large.
//
// What no list can say, since PostgreSQL does not log it by block: the visibility map and the free
// space map, hint bits without checksums, everything that is no relation, and relation files under
// wal_level = minimal, which is noted. Take those as changed.
//
// Records that lie in two segments
//
//   A record belongs to the list of the segment where it begins, if all that the list needs of it
//   (block headers; for records without blocks the numbers of what they create or drop) lies in
//   that segment, whether or not the rest of the record ever proves sound. Otherwise that list is
//   `open`: what it could see is in it, and the next segment's list completes it, if the end of the
//   segment before was at hand when it was made. Its `carried` says so:
//
//     none      no record comes in from the segment before, or the one that does broke off in a
//               crash and never counted
//     resolved  it was seen from its first byte, and all that its own list may lack is here
//     unknown   it was not
//
//   The union over consecutive segments is complete unless an open list is followed by one whose
//   carried is unknown. Then, and only then, the two segments must be read again, together.
//   ChangedBlocks (changed_blocks.h) watches over that.
//
// Bytes, version 1. Numbers are LEB128 where no width is given. Lists ascend.
//
//   u8 version = 1
//   u8 notes: bits of ReferenceNote
//   u8 state: bit 0 open, bits 1 and 2 carried
//   u8 shift: blocks are counted in units of 2^shift, 0 to 32
//   u64 begin | u64 end                 the WAL that the list is of; end is behind what is proven
//   n | n times: tablespace             created or dropped: everything in it counts as changed
//   n | n times:                        databases
//     tablespace | database | u8 flags: 1 all of it counts as changed; then no relations follow
//     n | n times:                      forks, ascending by relation and fork
//       relation, less the relation before | u8 fork, with bit 7 if there is a limit
//       limit: the first block of which all behind it count as changed
//       n | n times: a unit, less the end of the run before (the first: plus 1),
//                    or 0 and the number of units by which the run before is longer than one
#pragma once

#include "base/bytes.h"
#include "wal/lsn.h"
#include "wal/record_parts.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace walden::wal {

/// An encoded list is never larger: a reader may refuse more.
inline constexpr std::size_t block_references_size_max = std::size_t{64} << 10;

/// The limit of a fork that was neither created, dropped nor truncated. No block has this number.
inline constexpr std::uint32_t no_limit = 0xFFFFFFFF;

/// What a backup must know beside blocks.
enum ReferenceNote : std::uint8_t {
    note_minimal_level = 1,   ///< wal_level was minimal: relations changed without records
    note_parameters = 2,      ///< a record of changed parameters (max_connections and such)
    note_full_pages_off = 4,  ///< full_page_writes was off
    note_timeline = 8,        ///< a timeline begins in the segment
    note_everything = 16,     ///< too much to say, or a sound record that was not understood
};

enum class Carried : std::uint8_t { none = 0, resolved = 1, unknown = 2 };

/// `count` blocks from `first` on.
struct BlockRun {
    std::uint32_t first = 0;
    std::uint32_t count = 0;

    friend bool operator==(const BlockRun&, const BlockRun&) = default;
};

struct ForkReferences {
    RelationFork relation;
    std::uint32_t limit = no_limit;
    std::vector<BlockRun> runs;  ///< ascending, not touching, below the limit or coarser than it

    friend bool operator==(const ForkReferences&, const ForkReferences&) = default;
};

struct DatabaseFiles {
    std::uint32_t tablespace = 0;
    std::uint32_t database = 0;

    friend auto operator<=>(const DatabaseFiles&, const DatabaseFiles&) = default;
};

struct BlockReferences {
    Lsn begin;
    Lsn end;
    std::uint8_t notes = 0;  ///< ReferenceNote
    bool is_open = false;
    Carried carried = Carried::none;
    /// Blocks are known to 2^shift: all runs begin and end at multiples of it.
    std::uint8_t shift = 0;
    std::vector<std::uint32_t> tablespaces;  ///< whole ones, ascending
    std::vector<DatabaseFiles> databases;    ///< whole ones, ascending
    std::vector<ForkReferences> forks;       ///< ascending; none of a whole database

    friend bool operator==(const BlockReferences&, const BlockReferences&) = default;
};

/// The list's bytes, at most block_references_size_max. A list that would need more is made
/// coarser: its blocks first, up to whole relations, then whole databases.
[[nodiscard]] Bytes encode_block_references(BlockReferences list);

/// Throws Error(corrupt) for bytes that are not a list, Error(usage) for one of a later version.
/// Takes memory of some 40 bytes for each byte.
[[nodiscard]] BlockReferences decode_block_references(ByteView bytes);

/// Adds 2^shift blocks from `first` on, a multiple of that; runs must end at or before it.
void append_run(std::vector<BlockRun>& runs, std::uint32_t first, std::uint8_t shift);

/// Counts blocks in units of 2^shift; no effect unless that is coarser than before.
void coarsen(BlockReferences& list, std::uint8_t shift);

}  // namespace walden::wal
