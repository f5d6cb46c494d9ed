// Reads and verifies one whole segment: page headers, the chain of records, every CRC.
//
// A segment is a window on a stream. Its first record may have begun in the segment before and its
// last may go on in the next; such a record can be verified only with both, so the reader takes
// what the walk over the segment before handed out (`carry_in`) and hands out the same
// (`carry_out`). Without a carry, the bytes owed by the segment before are skipped, their length
// checked page by page, and the first record that begins here must link to somewhere before the
// segment.
#pragma once

#include "base/bytes.h"
#include "wal/file_name.h"
#include "wal/lsn.h"
#include "wal/page_header.h"
#include "wal/record.h"
#include "wal/segment_facts.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace walden::wal {

/// What the verification of the next segment needs to know of this one.
struct SegmentCarry {
    Lsn position;                          ///< the next segment's first byte
    TimelineId timeline = 0;               ///< of the last page
    Lsn last_record;                       ///< the last whole record; invalid if none is known
    std::optional<PartialRecord> partial;  ///< the record behind it, if it goes on in the next

    friend bool operator==(const SegmentCarry&, const SegmentCarry&) = default;
};

/// Why a walk ended. Only the first two make a complete segment: in an archive, a segment that ends
/// otherwise is legal as the newest of its timeline, under its .partial name. Callers decide.
enum class EndReason : std::uint8_t {
    full,           ///< records up to the last byte; the last one may continue in the next segment
    switched,       ///< a switch record, and zeros behind it
    zero_tail,      ///< zeros from valid_end on, or from where a cut record breaks off
    recycled_tail,  ///< pages left over from another use of the file follow (segment_tail.h)
    damaged,        ///< bytes that ought to be WAL are not
};

[[nodiscard]] std::string_view to_string(EndReason reason);

struct SegmentReport {
    EndReason end = EndReason::damaged;
    std::optional<SegmentHeader> header;  ///< none if the first page is not this segment's
    std::uint32_t owed_by_previous = 0;   ///< bytes at the start that belong to an earlier record
    Lsn first_record;                     ///< the first that begins here and is whole; may be none
    Lsn valid_end;   ///< behind the last record (and its padding) that is proven, or the segment's
                     ///< end if `full`. Bytes before first_record are not proven without a carry
    Lsn stopped_at;  ///< what could not be read: a record's or a page's LSN; valid_end otherwise
    std::string reason;          ///< why it stopped there; empty for full and switched
    std::vector<Lsn> abandoned;  ///< records cut by a crash and overwritten after it
    SegmentFacts facts;
    std::optional<SegmentCarry> carry_out;  ///< only for full and switched

    [[nodiscard]] bool is_complete() const {
        return end == EndReason::full || end == EndReason::switched;
    }
};

struct SegmentInput {
    ByteView bytes;  ///< the whole file; a partial one has the full size, too
    SegmentName name;
    SegmentSize segment_size{};
    std::optional<std::uint64_t> system_identifier{};  ///< none: not compared
    /// What read_segment said of the segment just before, on the same line of descent; its position
    /// must be this segment's first byte.
    const SegmentCarry* carry_in = nullptr;
};

/// Called with each verified record that ends in the segment, in order.
class RecordVisitor {
public:
    RecordVisitor() = default;

    /// `visit` is a function object and must outlive the visitor.
    template <class Visit>

    requires(!std::is_same_v<std::remove_const_t<Visit>, RecordVisitor>) explicit RecordVisitor(
        Visit& visit)
        : target_(const_cast<void*>(static_cast<const void*>(std::addressof(visit)))),
          call_([](void* target, const RecordView& record) {
              (*static_cast<Visit*>(target))(record);
          }) {}

    explicit operator bool() const { return call_ != nullptr; }

    void operator()(const RecordView& record) const { call_(target_, record); }

private:
    void* target_ = nullptr;
    void (*call_)(void*, const RecordView&) = nullptr;
};

/// Walks the segment. Hostile bytes give a report, never an exception or a read outside `bytes`;
/// only a visitor can throw, and std::bad_alloc. Pure; about 4 ms for 16 MiB.
[[nodiscard]] SegmentReport read_segment(const SegmentInput& input, RecordVisitor visitor);

[[nodiscard]] inline SegmentReport read_segment(const SegmentInput& input) {
    return read_segment(input, RecordVisitor());
}

template <class Visit>

requires(std::is_object_v<std::remove_reference_t<Visit>>&&
             std::is_invocable_v<Visit&, const RecordView&>)

    [[nodiscard]] SegmentReport read_segment(const SegmentInput& input, Visit&& visit) {
    return read_segment(input, RecordVisitor(visit));
}

}  // namespace walden::wal
