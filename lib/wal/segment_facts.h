// What the pass that verifies a segment learns on its way.
#pragma once

#include "wal/file_name.h"
#include "wal/lsn.h"
#include "wal/record.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace walden::wal {

/// PostgreSQL's timestamps: microseconds since 2000-01-01 00:00 UTC.
using Timestamp = std::int64_t;

struct TimeRange {
    Timestamp earliest = 0;
    Timestamp latest = 0;

    friend bool operator==(const TimeRange&, const TimeRange&) = default;
};

/// Transaction ids in the order of their modulo-2^32 arithmetic: `newest` may be the smaller
/// number.
struct XidRange {
    std::uint32_t oldest = 0;
    std::uint32_t newest = 0;

    friend bool operator==(const XidRange&, const XidRange&) = default;
};

struct CheckpointFact {
    Lsn lsn;
    Lsn redo;

    friend bool operator==(const CheckpointFact&, const CheckpointFact&) = default;
};

/// A shutdown checkpoint or end-of-recovery record that begins timeline `to`.
struct TimelineChange {
    Lsn lsn;
    TimelineId from = 0;
    TimelineId to = 0;

    friend bool operator==(const TimelineChange&, const TimelineChange&) = default;
};

/// Of the records that end in the segment and were verified.
struct SegmentFacts {
    std::uint64_t record_count = 0;
    std::uint64_t record_bytes = 0;  ///< sum of their total lengths
    std::uint64_t commit_count = 0;  ///< transactions, prepared ones at COMMIT PREPARED
    std::uint64_t abort_count = 0;
    std::optional<TimeRange> end_times;  ///< of the commits and aborts
    std::optional<XidRange> xids;        ///< of records that have one; bootstrap ids left out
    std::optional<CheckpointFact> last_checkpoint;
    std::vector<TimelineChange> timeline_changes;

    friend bool operator==(const SegmentFacts&, const SegmentFacts&) = default;
};

/// Gathers SegmentFacts record by record. One thread at a time.
class FactCollector {
public:
    /// Counts the record; called for every one, so it is small enough to be inlined.
    void count(std::uint32_t total_length, std::uint32_t xid) {
        ++facts_.record_count;
        facts_.record_bytes += total_length;
        if (xid < first_normal_xid) return;
        if (first_xid_ == 0) first_xid_ = xid;
        const auto distance = static_cast<std::int32_t>(xid - first_xid_);
        if (distance < oldest_) oldest_ = distance;
        if (distance > newest_) newest_ = distance;
    }

    /// True for the resource managers whose records interpret() reads.
    [[nodiscard]] static constexpr bool is_of_interest(std::uint8_t resource_manager) {
        return resource_manager <= transaction_manager;
    }

    /// Reads commits, aborts, checkpoints and timeline changes; `head` as in RecordView.
    void interpret(Lsn lsn, const RecordHeader& header, ByteView head);

    [[nodiscard]] SegmentFacts take();

private:
    static constexpr std::uint32_t first_normal_xid = 3;

    void interpret_transaction(const RecordHeader& header, ByteView main_data);
    void interpret_xlog(Lsn lsn, const RecordHeader& header, ByteView main_data);
    void note_timelines(Lsn lsn, ByteView main_data);

    SegmentFacts facts_;
    std::uint32_t first_xid_ = 0;
    std::int32_t oldest_ = 0;  ///< distances from first_xid_
    std::int32_t newest_ = 0;
};

}  // namespace walden::wal
