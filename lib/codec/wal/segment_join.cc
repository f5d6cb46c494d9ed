#include "base/error.h"
#include "base/format.h"
#include "base/hash.h"
#include "codec/wal/directory.h"
#include "codec/wal/page_writer.h"
#include "codec/wal/record/record_coder.h"
#include "codec/wal/record/template_codes.h"
#include "codec/wal/record/xid_prediction.h"
#include "codec/wal/segment_memory.h"
#include "codec/wal/segment_split.h"
#include "wal/record.h"

namespace walden::codec::wal_codec {

namespace {

/// One join of one content.
class ContentJoin {
public:
    ContentJoin(SegmentModel& model, LinearContent& linear, MutableByteView out,
                const DecodeObserver& observe)
        : model_(model),
          linear_size_(model.chain.linear_size(model.plain_size / page_size)),
          linear_(linear.reset(linear_size_)),
          pages_(model.chain, linear_, model.plain_size, out, observe),
          codes_(model),
          xids_(model.common.xid_codes, model.common.xids),
          records_(model, linear_) {}

    void run() {
        join_head();
        for (std::uint32_t i = 0; i < model_.record_count; ++i) join_record();
        join_end();
    }

private:
    [[noreturn]] void refuse(std::string_view what) const {
        throw Error(ErrorKind::corrupt,
                    format("split WAL content: {} at offset {}", what, position_));
    }

    void join_head() {
        Stream& head = model_.common.head;
        const std::size_t owed = model_.chain.owed;
        if (owed > linear_size_ || head.size() != owed) refuse("head of another size");
        std::memcpy(linear_, head.bytes().data(), owed);
        position_ = padded(model_.chain.owed);
        std::memset(linear_ + owed, 0, position_ - owed);
        pages_.pass(owed);
    }

    void join_record() {
        std::byte* const record = linear_ + position_;
        const std::size_t room = linear_size_ - position_;
        if (room < wal::record_header_size) refuse("no room for a record");
        pages_.begin_record(position_);
        std::uint32_t xid = 0;
        if (!xids_.move(xid)) refuse("invalid transaction");
        std::uint32_t index = 0;
        if (!codes_.move(xid, codes_.guess(xid), index)) refuse("invalid template");
        RecordTemplate& known = model_.templates.data()[index];
        store_le<std::uint32_t>(record + wal::record_xid_offset, xid);
        store_le<std::uint64_t>(record + wal::record_previous_offset, link_);
        record[wal::record_info_offset] = static_cast<std::byte>(known.info);
        record[wal::record_manager_offset] = static_cast<std::byte>(known.resource_manager);
        store_le<std::uint16_t>(record + wal::record_padding_offset, 0);
        std::uint32_t total = 0;
        if (!records_.move(record, room, known, total)) refuse("invalid record");
        const std::uint32_t crc =
            crc32c({record + wal::record_header_size, total - wal::record_header_size},
                   {record, wal::record_crc_offset});
        store_le<std::uint32_t>(record + wal::record_crc_offset, crc);
        link_ = pages_.lsn_of(position_);
        // The linear content is a multiple of 8 long, so the padding is inside.
        std::memset(record + total, 0, wal::record_alignment);
        pages_.pass(std::uint64_t{position_} + total);
        position_ = padded(position_ + total);
    }

    /// Behind the last whole record: nothing, the beginning of one more, or no record.
    void join_end() {
        const ByteView cut = model_.common.cut.bytes();
        if (position_ < linear_size_) pages_.begin_record(position_);
        if (!cut.empty()) {
            if (cut.size() != linear_size_ - position_ || model_.is_tail_zero)
                refuse("last record of another size");
            std::memcpy(linear_ + position_, cut.data(), cut.size());
            pages_.pass(std::uint64_t{position_} + load_le<std::uint32_t>(cut.data()));
            position_ = linear_size_;
        }
        if (!pages_.finish(position_, model_.common.tail.bytes(), model_.is_tail_zero))
            refuse("tail of another size");
        for (const StreamSlot& slot : model_.slots())
            if (slot.stream->remaining() != 0 && !is_edge(*slot.stream)) refuse("bytes left over");
    }

    /// These are not taken but copied as a whole, and their sizes are checked.
    [[nodiscard]] bool is_edge(const Stream& stream) const {
        const CommonStreams& common = model_.common;
        return &stream == &common.head || &stream == &common.cut || &stream == &common.tail;
    }

    SegmentModel& model_;
    const std::uint32_t linear_size_;
    std::byte* const linear_;
    PageWriter pages_;
    TemplateCodes<Direction::join> codes_;
    XidPrediction<Direction::join> xids_;
    RecordCoder<Direction::join> records_;
    std::uint32_t position_ = 0;
    std::uint64_t link_ = model_.first_link;
};

}  // namespace

class SegmentJoiner::State : public SegmentMemory {};

SegmentJoiner::SegmentJoiner() : state_(std::make_unique<State>()) {}

SegmentJoiner::~SegmentJoiner() = default;
SegmentJoiner::SegmentJoiner(SegmentJoiner&&) noexcept = default;
SegmentJoiner& SegmentJoiner::operator=(SegmentJoiner&&) noexcept = default;

SegmentMemory& SegmentJoiner::memory() {
    return *state_;
}

void exchange_memory(SegmentSplitter& splitter, SegmentJoiner& joiner) {
    splitter.memory().model.exchange_streams(joiner.memory().model);
    splitter.memory().linear.swap(joiner.memory().linear);
}

std::span<const StreamSlot> SegmentJoiner::begin(ByteView directory, std::size_t plain_size) {
    state_->model.clear();
    read_directory(directory, plain_size, state_->model);
    return state_->model.slots();
}

void SegmentJoiner::join(MutableByteView out, const DecodeObserver& observe) {
    ContentJoin(state_->model, state_->linear, out, observe).run();
}

}  // namespace walden::codec::wal_codec
