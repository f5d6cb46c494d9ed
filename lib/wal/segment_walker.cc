#include "wal/segment_walker.h"

#include "base/format.h"
#include "base/hash.h"
#include "wal/segment_identity.h"

#include <algorithm>
#include <cassert>

namespace walden::wal {

namespace {

std::uint32_t align(std::uint32_t length) {
    return (length + record_alignment - 1) & ~(record_alignment - 1);
}

/// `aligned_end` is where the bytes that pad a record of `length` bytes end.
bool is_padding_zero(const std::byte* aligned_end, std::uint32_t length) {
    const std::uint32_t used = length % record_alignment;
    const auto last_word = load_le<std::uint64_t>(aligned_end - record_alignment);
    return used == 0 || last_word >> 8 * used == 0;
}

}  // namespace

SegmentWalker::SegmentWalker(const SegmentInput& input, RecordVisitor visitor)
    : input_(input),
      visitor_(visitor),
      bytes_(input.bytes),
      size_(input.segment_size.bytes()),
      address_(first_lsn(input.name, input.segment_size)) {}

SegmentReport SegmentWalker::walk() {
    if (!open()) return std::move(report_);
    Step step = begin();
    while (step == Step::proceed) {
        if (at_ == size_) {
            step = finish_full(nullptr);
        } else if (at_ == page_of(at_) && enter_page(0) != PageEntry::accepted) {
            step = stop(lsn_at(at_), at_, StoppedRecord::unlinked, std::move(refusal_));
        } else {
            read_whole_records();
            if (at_ != page_of(at_)) step = read_record();
        }
    }
    report_.facts = facts_.take();
    return std::move(report_);
}

/// Checks that the file is this segment; false, with the report complete, if it is not.
bool SegmentWalker::open() {
    report_.valid_end = report_.stopped_at = address_;
    const auto mismatch = check_segment_identity(
        bytes_, {input_.name, input_.segment_size, input_.system_identifier, std::nullopt});
    if (mismatch) {
        report_.reason = mismatch->text;
        return false;
    }
    report_.header = parse_segment_header(bytes_).header;
    page_size_ = report_.header->page_size;
    magic_ = report_.header->page.magic;
    return true;
}

/// Completes the record that an earlier segment began, if there is one.
SegmentWalker::Step SegmentWalker::begin() {
    const PageHeader header = load_page_header(bytes_.data());
    report_.owed_by_previous = header.remaining_length;
    const SegmentCarry* const carry = input_.carry_in;
    if (carry != nullptr) {
        assert(carry->position == address_);
        timeline_ = carry->timeline;
        last_record_ = carry->last_record;
        return carry->partial ? complete_record(*carry->partial) : Step::proceed;
    }
    if ((header.flags & (first_is_continuation | first_is_overwrite)) == 0) return Step::proceed;
    // Where a record was overwritten, the header says no length, so any will do.
    return complete_record({.missing = std::max(header.remaining_length, 1U)});
}

/// Accepts the header of the page at at_ and moves behind it. `missing` bytes of a record are to
/// continue there. A refused page leaves everything as it was but sets refusal_.
SegmentWalker::PageEntry SegmentWalker::enter_page(std::uint32_t missing) {
    const PageHeader header = load_page_header(bytes_.data() + at_);
    const bool is_first = at_ == 0;
    unread_page_ = at_;
    if (header.magic != magic_)
        return refuse_page(format("magic {:04X} instead of {:04X}", header.magic, magic_));
    if ((header.flags & ~all_page_flags) != 0 ||
        ((header.flags & has_long_header) != 0) != is_first)
        return refuse_page(format("flags {:04X} are impossible here", header.flags));
    if (header.address != lsn_at(at_))
        return refuse_page(format("it says it is page {}", to_string(header.address)));
    if (header.timeline < timeline_ || header.timeline > input_.name.timeline)
        return refuse_page(format("timeline {} instead of {} to {}", header.timeline, timeline_,
                                  input_.name.timeline));
    if (header.padding != 0) return refuse_page("padding that is not zero");

    const bool continues = (header.flags & first_is_continuation) != 0;
    const bool overwrites = (header.flags & first_is_overwrite) != 0;
    if (overwrites ? continues || missing == 0 : continues != (missing > 0))
        return refuse_page(format("flags {:04X} where {} bytes of a record are to continue",
                                  header.flags, missing));
    const std::uint32_t expected = overwrites ? 0 : missing;
    if (header.remaining_length != expected)
        return refuse_page(format("{} bytes are announced to continue instead of {}",
                                  header.remaining_length, expected));
    timeline_ = header.timeline;
    at_ += is_first ? long_page_header_size : short_page_header_size;
    unread_page_ = page_end_of(at_);
    return overwrites ? PageEntry::overwritten : PageEntry::accepted;
}

SegmentWalker::PageEntry SegmentWalker::refuse_page(std::string reason) {
    refusal_ = format("page {}: {}", to_string(lsn_at(at_)), reason);
    return PageEntry::refused;
}

/// Reads the records that begin at at_ and lie wholly on its page: almost all records of busy
/// clusters, hence the one loop that is written for speed. It stops in front of anything unusual,
/// damage included, and leaves that to read_record().
void SegmentWalker::read_whole_records() {
    // The first record is read one by one even with a carry, since report_ names it.
    if (!last_record_.is_valid() || !report_.first_record.is_valid() || is_overwriting_due_) return;
    const std::byte* const page_end = bytes_.data() + page_end_of(at_);
    const std::byte* at = bytes_.data() + at_;
    Lsn lsn = lsn_at(at_);
    while (page_end - at >= record_header_size) {
        const RecordHeader header = load_record_header(at);
        const std::uint32_t length = header.total_length;
        if (length < record_header_size || length > page_end - at) break;
        if (header.previous != last_record_) break;
        if (is_segment_switch(header.resource_manager, header.info)) break;
        const std::uint32_t aligned = align(length);
        const ByteView record(at, length);
        if (crc32c(record.subspan(record_header_size), record.first(record_crc_offset)) !=
                header.crc ||
            !is_padding_zero(at + aligned, length))
            break;

        facts_.count(length, header.xid);
        if (FactCollector::is_of_interest(header.resource_manager))
            facts_.interpret(lsn, header,
                             record.first(std::min<std::size_t>(length, record_head_size)));
        if (visitor_) {
            const ByteView head = record.first(std::min<std::size_t>(length, record_head_size));
            visitor_(
                {.lsn = lsn, .header = header, .pieces = {&record, 1}, .missing = 0, .head = head});
        }
        last_record_ = lsn;
        lsn = lsn + aligned;
        at += aligned;
    }
    const auto stopped = static_cast<std::uint32_t>(at - bytes_.data());
    if (stopped != at_) valid_end_ = stopped;
    at_ = stopped;
}

/// Reads one record of any kind that begins at at_, behind a page header.
SegmentWalker::Step SegmentWalker::read_record() {
    const Lsn start = lsn_at(at_);
    const auto length = load_le<std::uint32_t>(bytes_.data() + at_);
    if (length < record_header_size)
        return stop(start, at_, StoppedRecord::unlinked,
                    format("record length {} is less than a header", length));
    PartialRecord record = PartialRecord::begin(start, length);
    const ByteView piece = bytes_.subspan(at_, std::min(length, page_end_of(at_) - at_));
    record.feed(piece);
    if (const auto previous = record.previous()) {
        std::string problem = check_link(start, *previous);
        if (!problem.empty()) return stop(start, at_, StoppedRecord::unlinked, std::move(problem));
    }
    pieces_.assign(1, piece);
    at_ += static_cast<std::uint32_t>(piece.size());
    return complete_record(record);
}

/// Follows a record over page after page, from at_, to its end.
SegmentWalker::Step SegmentWalker::complete_record(PartialRecord record) {
    while (record.missing > 0) {
        if (at_ == size_) return finish_full(&record);
        switch (enter_page(record.missing)) {
            case PageEntry::accepted: break;
            case PageEntry::overwritten: return abandon(record);
            case PageEntry::refused:
                return stop(std::max(record.start, address_), at_, StoppedRecord::unlinked,
                            "the record does not continue: " + refusal_);
        }
        const ByteView piece =
            bytes_.subspan(at_, std::min(record.missing, page_end_of(at_) - at_));
        record.feed(piece);
        pieces_.push_back(piece);
        at_ += static_cast<std::uint32_t>(piece.size());
    }
    return record.is_known() ? accept(record) : accept_unknown();
}

/// A crash cut the record off; what was written after it says so on the page where it would go on.
SegmentWalker::Step SegmentWalker::abandon(const PartialRecord& record) {
    report_.abandoned.push_back(record.start);
    overwritten_ = record.start;
    is_overwriting_due_ = true;
    pieces_.clear();
    return Step::proceed;
}

/// Verifies a record of which all bytes have been fed, and counts it.
SegmentWalker::Step SegmentWalker::accept(const PartialRecord& record) {
    const RecordHeader header = load_record_header(record.head.data());
    const Lsn where = std::max(record.start, address_);
    const auto offset = static_cast<std::uint32_t>(where - address_);
    std::string problem = check_link(record.start, header.previous);
    if (!problem.empty()) return stop(where, offset, StoppedRecord::unlinked, std::move(problem));
    problem = check_whole(record, header);
    if (!problem.empty()) return stop(where, offset, StoppedRecord::linked, std::move(problem));

    const ByteView head =
        ByteView(record.head).first(std::min<std::size_t>(record.present, record_head_size));
    facts_.count(header.total_length, header.xid);
    if (FactCollector::is_of_interest(header.resource_manager))
        facts_.interpret(record.start, header, head);
    if (visitor_) {
        std::uint32_t missing = header.total_length;
        for (const ByteView piece : pieces_) missing -= static_cast<std::uint32_t>(piece.size());
        visitor_({record.start, header, pieces_, missing, head});
    }
    if (record.start >= address_ && !report_.first_record.is_valid())
        report_.first_record = record.start;
    last_record_ = record.start;
    valid_end_ = at_;
    is_overwriting_due_ = false;
    if (is_segment_switch(header.resource_manager, header.info)) return finish_switched();
    return Step::proceed;
}

/// Ends the tail of a record of which the beginning was never seen.
SegmentWalker::Step SegmentWalker::accept_unknown() {
    if (!skip_padding())
        return stop(address_, 0, StoppedRecord::linked, "padding that is not zero");
    valid_end_ = at_;
    // A switch record is only a header, so if it began in the segment before and 8 or 16 of its
    // bytes are here, its kind is among them. It then fills this whole segment, too.
    const ByteView tail = pieces_.front();
    const bool may_be_switch = pieces_.size() == 1 && (tail.size() == 8 || tail.size() == 16) &&
                               is_segment_switch(static_cast<std::uint8_t>(tail[tail.size() - 7]),
                                                 static_cast<std::uint8_t>(tail[tail.size() - 8]));
    if (may_be_switch && is_zero(bytes_.subspan(at_))) return finish_switched();
    return Step::proceed;
}

std::string SegmentWalker::check_link(Lsn lsn, Lsn previous) const {
    if (last_record_.is_valid()) {
        if (previous == last_record_) return {};
        return format("record {} links back to {} instead of {}", to_string(lsn),
                      to_string(previous), to_string(last_record_));
    }
    if (previous < address_) return {};
    return format("record {} links back to {}, which is not before the segment", to_string(lsn),
                  to_string(previous));
}

/// Moves at_ behind the record's padding. Empty if the CRC and all else is right.
std::string SegmentWalker::check_whole(const PartialRecord& record, const RecordHeader& header) {
    const std::uint32_t computed = record.computed_crc();
    if (computed != header.crc)
        return format("record {} of {} bytes has CRC {:08X}, its bytes have {:08X}",
                      to_string(record.start), header.total_length, header.crc, computed);
    if (!skip_padding())
        return format("record {} is followed by padding that is not zero", to_string(record.start));
    if (!is_overwriting_due_) return {};

    const bool overwrites =
        header.resource_manager == xlog_manager &&
        (header.info & 0xF0) == static_cast<std::uint8_t>(XlogKind::overwrite_continuation);
    const ByteView main_data = main_data_of(record.head);
    if (!overwrites || main_data.size() < sizeof(std::uint64_t))
        return format("record {} does not say what it overwrites", to_string(record.start));
    const Lsn named{load_le<std::uint64_t>(main_data.data())};
    if (overwritten_.is_valid() && named != overwritten_)
        return format("record {} overwrites {} instead of {}", to_string(record.start),
                      to_string(named), to_string(overwritten_));
    report_.abandoned.back() = named;
    return {};
}

bool SegmentWalker::skip_padding() {
    const std::uint32_t length = at_ % record_alignment;
    at_ = align(at_);
    return is_padding_zero(bytes_.data() + at_, length);
}

SegmentWalker::Step SegmentWalker::finish_switched() {
    report_.valid_end = report_.stopped_at = lsn_at(valid_end_);
    if (is_zero(bytes_.subspan(at_))) {
        report_.end = EndReason::switched;
        report_.carry_out = {address_ + size_, timeline_, last_record_, std::nullopt};
    } else {
        report_.end = EndReason::damaged;
        report_.reason = "the bytes behind the switch record are not all zero";
    }
    return Step::stop;
}

SegmentWalker::Step SegmentWalker::finish_full(const PartialRecord* partial) {
    report_.end = EndReason::full;
    report_.valid_end = report_.stopped_at = address_ + size_;
    report_.carry_out = {address_ + size_, timeline_, last_record_, std::nullopt};
    if (partial != nullptr) report_.carry_out->partial = *partial;
    return Step::stop;
}

/// Ends the walk at `where` because of `reason`; `offset` is where bytes were first not understood.
SegmentWalker::Step SegmentWalker::stop(Lsn where, std::uint32_t offset, StoppedRecord record,
                                        std::string reason) {
    const TailVerdict verdict = judge_tail({.segment = bytes_,
                                            .address = address_,
                                            .page_size = page_size_,
                                            .magic = magic_,
                                            .timeline = timeline_,
                                            .timeline_max = input_.name.timeline,
                                            .stopped_at = offset,
                                            .first_unread_page = unread_page_,
                                            .record = record});
    report_.valid_end = lsn_at(valid_end_);
    report_.stopped_at = where;
    report_.reason = std::move(reason);
    switch (verdict.kind) {
        case TailKind::zeros: report_.end = EndReason::zero_tail; break;
        case TailKind::recycled: report_.end = EndReason::recycled_tail; break;
        case TailKind::damaged:
            report_.end = EndReason::damaged;
            report_.reason += "; " + verdict.reason;
            break;
    }
    return Step::stop;
}

}  // namespace walden::wal
