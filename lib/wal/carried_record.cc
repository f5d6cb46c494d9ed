#include "wal/carried_record.h"

#include "wal/page_header.h"
#include "wal/record.h"

#include <algorithm>

namespace walden::wal {

namespace {

/// Goes over a stretch of pages, whose headers it checks, and takes what lies between them.
class PageCursor {
public:
    /// `address` is that of the first byte of `pages`, both of which are multiples of a page.
    PageCursor(ByteView pages, Lsn address, const SegmentHeader& like, std::size_t at)
        : pages_(pages), address_(address), like_(like), at_(at) {}

    /// Takes `size` bytes of records, or as many as there are; nullopt where a page header is not
    /// one that belongs there, or says that the record broke off in a crash.
    std::optional<std::size_t> take(std::size_t size, std::vector<ByteView>* pieces) {
        std::size_t left = size;
        while (left > 0 && at_ < pages_.size()) {
            if (at_ % like_.page_size == 0 && (!enter_page() || has_broken_off_))
                return std::nullopt;
            const std::size_t page_end = (at_ / like_.page_size + 1) * like_.page_size;
            const std::size_t count = std::min(left, page_end - at_);
            if (pieces != nullptr && count > 0) pieces->push_back(pages_.subspan(at_, count));
            at_ += count;
            left -= count;
        }
        return size - left;
    }

    /// Moves to the next record's first byte; false at the end of the pages or before a page header
    /// that does not belong there. Behind it a whole record header lies in one page.
    bool align() {
        at_ = (at_ + record_alignment - 1) / record_alignment * record_alignment;
        if (at_ >= pages_.size()) return false;
        return at_ % like_.page_size != 0 || enter_page();
    }

    /// What the header of the page at the cursor, which must be at a page's first byte, announces.
    [[nodiscard]] std::uint32_t announced() const {
        return load_page_header(pages_.data() + at_).remaining_length;
    }

    [[nodiscard]] const std::byte* here() const { return pages_.data() + at_; }

    [[nodiscard]] Lsn lsn() const { return address_ + at_; }

    /// Whether the newest page header says that the record before it broke off.
    [[nodiscard]] bool has_broken_off() const { return has_broken_off_; }

private:
    bool enter_page() {
        const PageHeader header = load_page_header(pages_.data() + at_);
        const bool is_long = lsn().value % like_.segment_size.bytes() == 0;
        if (header.magic != like_.page.magic || header.address != lsn() ||
            (header.flags & ~all_page_flags) != 0 ||
            ((header.flags & has_long_header) != 0) != is_long)
            return false;
        has_broken_off_ = (header.flags & first_is_overwrite) != 0;
        at_ += is_long ? long_page_header_size : short_page_header_size;
        return true;
    }

    ByteView pages_;
    Lsn address_;
    const SegmentHeader& like_;
    std::size_t at_;
    bool has_broken_off_ = false;
};

bool is_proven(const SpannedRecord& record) {
    PartialRecord whole = PartialRecord::begin(record.start, record.total_length);
    for (const ByteView piece : record.pieces) whole.feed(piece);
    return whole.missing == 0 && whole.computed_crc() == load_record_header(whole.head.data()).crc;
}

/// The record that reaches beyond the end of `pages`.
std::optional<SpannedRecord> find_last_record(ByteView pages, Lsn address,
                                              const SegmentHeader& like) {
    PageCursor cursor(pages, address, like, 0);
    const std::size_t owed = cursor.announced();
    if (cursor.take(owed, nullptr) != owed) return std::nullopt;
    while (cursor.align()) {
        SpannedRecord record{.start = cursor.lsn(),
                             .total_length = load_le<std::uint32_t>(cursor.here()),
                             .pieces = {},
                             .is_whole = false};
        if (record.total_length < record_header_size) return std::nullopt;
        const auto taken = cursor.take(record.total_length, &record.pieces);
        if (!taken && !cursor.has_broken_off()) return std::nullopt;
        if (taken && *taken < record.total_length) return record;
    }
    return std::nullopt;
}

}  // namespace

std::optional<SpannedRecord> find_carried_record(const SegmentInput& input,
                                                 const SegmentReport& report,
                                                 ByteView previous_end) {
    const Lsn address = first_lsn(input.name, input.segment_size);
    if (!report.header || report.owed_by_previous == 0) return std::nullopt;
    const std::uint32_t page_size = report.header->page_size;
    if (previous_end.empty() || previous_end.size() % page_size != 0 ||
        previous_end.size() > address.value)
        return std::nullopt;
    auto record =
        find_last_record(previous_end, {address.value - previous_end.size()}, *report.header);
    if (!record) return std::nullopt;
    std::size_t seen = 0;
    for (const ByteView piece : record->pieces) seen += piece.size();
    if (record->total_length - seen != report.owed_by_previous) return std::nullopt;

    PageCursor cursor(input.bytes, address, *report.header, 0);
    const auto taken = cursor.take(report.owed_by_previous, &record->pieces);
    if (!taken && !cursor.has_broken_off()) return std::nullopt;
    record->is_whole = taken == report.owed_by_previous;
    if (record->is_whole && !is_proven(*record)) return std::nullopt;
    return record;
}

std::optional<SpannedRecord> find_unfinished_record(const SegmentInput& input,
                                                    const SegmentReport& report) {
    const Lsn address = first_lsn(input.name, input.segment_size);
    if (!report.carry_out || !report.carry_out->partial) return std::nullopt;
    const PartialRecord& partial = *report.carry_out->partial;
    if (!partial.is_known() || partial.start < address) return std::nullopt;
    SpannedRecord record{.start = partial.start,
                         .total_length = partial.present + partial.missing,
                         .pieces = {},
                         .is_whole = false};
    PageCursor cursor(input.bytes, address, *report.header,
                      static_cast<std::size_t>(partial.start - address));
    static_cast<void>(cursor.take(partial.present, &record.pieces));
    return record;
}

}  // namespace walden::wal
