// Where a walk stopped, does WAL end, or is WAL damaged?
//
// PostgreSQL ends recovery silently at the first thing that is not a valid record. Whether that is
// the end or the loss of everything behind it shows in what follows, and these are the sources of
// bytes behind an end:
//
//  1. New files are zeros. PostgreSQL zeroes a page before it fills it and writes whole pages, so
//  the
//     rest of the last page is zeros as well, and so is all that follows a switch record.
//  2. Recycled files hold the pages of an older segment under a new name: valid headers, same
//  offset
//     in the segment, another address. Mostly a lower one, but after a promotion files that were
//     ahead on the old timeline are recycled too, so the address may be higher, or even the very
//     one expected, then on an older timeline than the WAL before the end.
//  3. A standby receives WAL up to a page boundary or the end of a record and writes just that, so
//     in a recycled file stale bytes may begin in the middle of a page.
//  4. A crash cuts a record at a page boundary: it is well linked, and its next page never came.
//
// None of them puts a page with the expected address, magic and a timeline not older than the WAL
// before behind the end. Such a page was written by the server that wrote this segment, after what
// cannot be read: damage. (One exception is not told apart: a crash of the machine may lose a page
// and keep a later one. Such a segment is written anew from the loss on before it is complete; only
// a .partial may show it.) The reverse does not hold: in the last page of a segment no page can
// follow, so there everything but zeros is called damage, and so is any page that is neither zeros
// nor a stale page, and a record that is linked to its predecessor, lies whole in its page and
// fails its CRC.
#pragma once

#include "base/bytes.h"
#include "wal/file_name.h"
#include "wal/lsn.h"

#include <cstdint>
#include <string>

namespace walden::wal {

/// What stands where the walk stopped.
enum class StoppedRecord : std::uint8_t {
    unlinked,  ///< no record, or one that does not point back to its predecessor
    linked,    ///< a record that does, and of which every page is there
};

struct StoppedWalk {
    ByteView segment;
    Lsn address;  ///< of the segment's first byte
    std::uint32_t page_size = 0;
    std::uint16_t magic = 0;
    TimelineId timeline = 0;      ///< of the last accepted page
    TimelineId timeline_max = 0;  ///< of the segment's name
    /// Offsets: of the first byte that was not understood, and of the first page whose header was
    /// not accepted. The first may equal the second (a cut record, a page that is not there), and
    /// the second the size of the segment.
    std::uint32_t stopped_at = 0;
    std::uint32_t first_unread_page = 0;
    StoppedRecord record = StoppedRecord::unlinked;
};

enum class TailKind : std::uint8_t { zeros, recycled, damaged };

struct TailVerdict {
    TailKind kind = TailKind::damaged;
    std::string reason;  ///< why it is damage; empty otherwise
};

[[nodiscard]] TailVerdict judge_tail(const StoppedWalk& walk);

}  // namespace walden::wal
