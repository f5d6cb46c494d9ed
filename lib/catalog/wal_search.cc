#include "catalog/wal_search.h"

#include "base/error.h"
#include "base/format.h"
#include "wal/page_header.h"
#include "wal/record_parts.h"
#include "wal/record_reader.h"

#include <algorithm>

namespace walden::catalog {

namespace {

/// XLOG_RESTORE_POINT (pg_control.h); its data are a time and a name of 64 bytes
/// (xl_restore_point).
constexpr std::uint8_t restore_point_kind = 0x70;
constexpr std::size_t restore_point_name_size = 64;
/// COMMIT PREPARED names the prepared transaction deep in its data, which is not looked for: such a
/// transaction is not found by its id, and the plan says that its place is an estimate.
constexpr std::uint8_t transaction_kinds = 0x70;

class Search {
public:
    Search(const pg::RecoveryTarget& target, const wal::SegmentName& segment,
           const wal::WalVersion& version)
        : target_(target), segment_(segment), version_(version) {}

    void operator()(const wal::RecordView& record) {
        if (found_.stop || record.missing > 0) return;
        if (record.header.resource_manager == wal::transaction_manager)
            see_transaction(record);
        else if (record.header.resource_manager == wal::xlog_manager)
            see_restore_point(record);
    }

    [[nodiscard]] SegmentSearch take() const { return found_; }

private:
    [[nodiscard]] ByteView main_data(const wal::RecordView& record, std::size_t size) {
        const ByteView begin =
            wal::bytes_of_pieces(record.pieces, 0, wal::record_parts_size_max, head_);
        wal::RecordParts parts;
        if (wal::read_record_parts(begin, record.header.total_length, version_, parts) !=
            wal::PartsState::whole)
            return {};
        return wal::bytes_of_pieces(record.pieces, parts.main_offset,
                                    std::min<std::size_t>(size, parts.main_length), data_);
    }

    void see_transaction(const wal::RecordView& record) {
        switch (static_cast<wal::TransactionKind>(record.header.info & transaction_kinds)) {
            case wal::TransactionKind::commit:
            case wal::TransactionKind::abort:
            case wal::TransactionKind::commit_prepared:
            case wal::TransactionKind::abort_prepared: break;
            default: return;
        }
        const ByteView data = main_data(record, sizeof(wal::Timestamp));
        if (data.size() < sizeof(wal::Timestamp)) return;
        const auto time = static_cast<wal::Timestamp>(load_le<std::uint64_t>(data.data()));
        if (stops_at(time, record.header.xid)) {
            found_.stop = FoundRecord{
                .segment = segment_, .lsn = record.lsn, .time = time, .xid = record.header.xid};
            return;
        }
        found_.last_before = time;
    }

    [[nodiscard]] bool stops_at(wal::Timestamp time, std::uint32_t xid) const {
        if (target_.kind == pg::TargetKind::xid) return xid == target_.xid;
        if (target_.kind != pg::TargetKind::time) return false;
        return target_.is_inclusive ? time > target_.time : time >= target_.time;
    }

    void see_restore_point(const wal::RecordView& record) {
        if (target_.kind != pg::TargetKind::name ||
            (record.header.info & 0xF0) != restore_point_kind)
            return;
        const ByteView data = main_data(record, sizeof(wal::Timestamp) + restore_point_name_size);
        if (data.size() < sizeof(wal::Timestamp)) return;
        std::string_view name = as_text(data.subspan(sizeof(wal::Timestamp)));
        name = name.substr(0, name.find('\0'));
        if (name != target_.text) return;
        found_.stop =
            FoundRecord{.segment = segment_,
                        .lsn = record.lsn,
                        .time = static_cast<wal::Timestamp>(load_le<std::uint64_t>(data.data()))};
    }

    const pg::RecoveryTarget& target_;
    wal::SegmentName segment_;
    const wal::WalVersion& version_;
    Bytes head_;
    Bytes data_;
    SegmentSearch found_;
};

}  // namespace

SegmentSearch search_segment(const vault::ClusterVault& vault, const wal::TimelineHistory& line,
                             wal::SegmentSize size, std::uint64_t number,
                             const pg::RecoveryTarget& target) {
    for (const wal::TimelineId timeline : line.timelines_of_segment(number, size)) {
        const wal::SegmentName segment{timeline, number};
        const auto stored =
            vault.entries().find(vault.layout().segment_key(to_string(segment, size)));
        if (!stored) continue;
        Bytes bytes;
        vault.contents().read(stored->entry, bytes);
        const auto parsed = wal::parse_segment_header(bytes);
        if (!parsed.header)
            throw Error(ErrorKind::corrupt,
                        format("segment {}: {}", to_string(segment, size), parsed.reason));
        Search search(target, segment, *wal::find_wal_version(parsed.header->page.magic));
        static_cast<void>(
            wal::read_segment({.bytes = bytes, .name = segment, .segment_size = size}, search));
        return search.take();
    }
    throw Error(
        ErrorKind::missing,
        format("segment {} is not in the archive",
               to_string(wal::SegmentName{line.timeline_at(first_lsn({1, number}, size)), number},
                         size)));
}

}  // namespace walden::catalog
