#include "wal/segment_facts.h"

#include <algorithm>

namespace walden::wal {

void FactCollector::interpret(Lsn lsn, const RecordHeader& header, ByteView head) {
    const ByteView main_data = main_data_of(head);
    if (header.resource_manager == transaction_manager)
        interpret_transaction(header, main_data);
    else if (header.resource_manager == xlog_manager)
        interpret_xlog(lsn, header, main_data);
}

void FactCollector::interpret_transaction(const RecordHeader& header, ByteView main_data) {
    switch (static_cast<TransactionKind>(header.info & 0x70)) {
        case TransactionKind::commit:
        case TransactionKind::commit_prepared: ++facts_.commit_count; break;
        case TransactionKind::abort:
        case TransactionKind::abort_prepared: ++facts_.abort_count; break;
        default: return;
    }
    // xl_xact_commit and xl_xact_abort both begin with the time.
    if (main_data.size() < sizeof(Timestamp)) return;
    const auto time = static_cast<Timestamp>(load_le<std::uint64_t>(main_data.data()));
    if (!facts_.end_times) facts_.end_times = TimeRange{time, time};
    facts_.end_times->earliest = std::min(facts_.end_times->earliest, time);
    facts_.end_times->latest = std::max(facts_.end_times->latest, time);
}

void FactCollector::interpret_xlog(Lsn lsn, const RecordHeader& header, ByteView main_data) {
    switch (static_cast<XlogKind>(header.info & 0xF0)) {
        case XlogKind::checkpoint_shutdown:
        case XlogKind::checkpoint_online:
            if (main_data.size() < 16) return;
            facts_.last_checkpoint = {lsn, {load_le<std::uint64_t>(main_data.data())}};
            note_timelines(lsn, main_data);
            return;
        case XlogKind::end_of_recovery: note_timelines(lsn, main_data); return;
        case XlogKind::switch_segment:
        case XlogKind::parameter_change:
        case XlogKind::full_page_writes_change:
        case XlogKind::overwrite_continuation: return;
    }
}

/// CheckPoint and xl_end_of_recovery both hold 8 other bytes, then this and the previous timeline.
void FactCollector::note_timelines(Lsn lsn, ByteView main_data) {
    if (main_data.size() < 16) return;
    const auto to = load_le<std::uint32_t>(main_data.data() + 8);
    const auto from = load_le<std::uint32_t>(main_data.data() + 12);
    if (from != to) facts_.timeline_changes.push_back({lsn, from, to});
}

SegmentFacts FactCollector::take() {
    if (first_xid_ != 0)
        facts_.xids = XidRange{first_xid_ + static_cast<std::uint32_t>(oldest_),
                               first_xid_ + static_cast<std::uint32_t>(newest_)};
    return std::move(facts_);
}

}  // namespace walden::wal
