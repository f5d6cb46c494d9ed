// The walk behind record_reader.h: one object per call of read_segment.
#pragma once

#include "wal/record_reader.h"
#include "wal/segment_tail.h"

#include <cstdint>
#include <string>
#include <vector>

namespace walden::wal {

class SegmentWalker {
public:
    SegmentWalker(const SegmentInput& input, RecordVisitor visitor);

    SegmentReport walk();

private:
    /// Whether the walk goes on.
    enum class Step : std::uint8_t { proceed, stop };

    /// What a page header says about a record that is to continue on its page.
    enum class PageEntry : std::uint8_t { accepted, overwritten, refused };

    bool open();
    Step begin();
    PageEntry enter_page(std::uint32_t missing);
    PageEntry refuse_page(std::string reason);
    void read_whole_records();
    Step read_record();
    Step complete_record(PartialRecord record);
    Step abandon(const PartialRecord& record);
    Step accept(const PartialRecord& record);
    Step accept_unknown();
    void collect(const PartialRecord& record, const RecordHeader& header);
    [[nodiscard]] std::string check_link(Lsn lsn, Lsn previous) const;
    [[nodiscard]] std::string check_whole(const PartialRecord& record, const RecordHeader& header);
    [[nodiscard]] bool skip_padding();
    Step finish_switched();
    Step finish_full(const PartialRecord* partial);
    Step stop(Lsn where, std::uint32_t offset, StoppedRecord record, std::string reason);

    [[nodiscard]] Lsn lsn_at(std::uint32_t offset) const { return address_ + offset; }

    [[nodiscard]] std::uint32_t page_of(std::uint32_t offset) const {
        return offset & ~(page_size_ - 1);
    }

    [[nodiscard]] std::uint32_t page_end_of(std::uint32_t offset) const {
        return page_of(offset) + page_size_;
    }

    const SegmentInput& input_;
    RecordVisitor visitor_;
    ByteView bytes_;
    std::uint32_t size_ = 0;
    std::uint32_t page_size_ = 0;
    Lsn address_;
    std::uint16_t magic_ = 0;
    TimelineId timeline_ = 0;  ///< of the newest accepted page

    std::uint32_t at_ = 0;           ///< offset of the next byte to read
    std::uint32_t valid_end_ = 0;    ///< offset behind the last accepted record
    std::uint32_t unread_page_ = 0;  ///< offset of the first page not accepted
    Lsn last_record_;                ///< the last accepted one; invalid: not known
    Lsn overwritten_;                ///< the record that the next one must say it replaces
    bool is_overwriting_due_ = false;
    std::string refusal_;           ///< why enter_page refused
    std::vector<ByteView> pieces_;  ///< of the record being completed
    FactCollector facts_;
    SegmentReport report_;
};

}  // namespace walden::wal
