#include "codec/wal/record/record_scan.h"

#include "base/hash.h"
#include "codec/wal/page_chain.h"
#include "codec/wal/record/template_codes.h"
#include "codec/wal/record/xid_prediction.h"
#include "wal/record.h"

#include <algorithm>

namespace walden::codec::wal_codec {

namespace {

/// Below this there is nothing to learn from.
constexpr std::size_t content_size_min = std::size_t{64} << 10;
constexpr std::uint32_t xid_samples_max = 32;

[[nodiscard]] bool is_crc_right(const std::byte* record, std::uint32_t total) {
    const std::uint32_t crc =
        crc32c({record + wal::record_header_size, total - wal::record_header_size},
               {record, wal::record_crc_offset});
    return crc == load_le<std::uint32_t>(record + wal::record_crc_offset);
}

/// One scan of one content.
class RecordScan {
public:
    RecordScan(ByteView content, RecordCrcs crcs, SegmentModel& model, TemplateFinder& templates,
               LinearContent& linear, RecordPlaces& records)
        : content_(content),
          crcs_(crcs),
          pages_(content),
          model_(model),
          templates_(templates),
          linear_(linear),
          records_(records),
          page_count_(static_cast<std::uint32_t>(content.size() / page_size)),
          codes_(model),
          xids_(model.common.xid_codes, model.common.xids) {}

    PlainReason run();

private:
    bool load_page();
    bool has(std::uint64_t linear_end);
    bool pass_pages(std::uint64_t end);
    PlainReason pass_head();
    PlainReason pass_records();
    PlainReason check_record(const std::byte* record, std::uint32_t total);
    bool take_record(const std::byte* record, std::uint32_t total);
    PlainReason finish(PlainReason stopped);

    ByteView content_;
    const RecordCrcs crcs_;
    PageChecker pages_;
    SegmentModel& model_;
    TemplateFinder& templates_;
    LinearContent& linear_;
    RecordPlaces& records_;
    const std::uint32_t page_count_;
    TemplateCodes<Direction::split> codes_;
    XidPrediction<Direction::split> xids_;

    std::uint32_t linear_size_ = 0;   ///< of the whole content
    std::uint32_t pages_loaded_ = 1;  ///< their bodies are in linear_ ...
    std::uint32_t end_ = 0;           ///< ... up to here
    std::uint32_t position_ = 0;      ///< linear offset of the next record
    bool is_cut_ = false;             ///< the record at position_ goes on behind the content
    std::uint64_t last_record_ = 0;   ///< LSN
    /// The next page whose continuation length is to be checked, and where its body begins.
    std::uint32_t next_page_ = 1;
    std::uint32_t next_body_ = 0;
};

PlainReason RecordScan::run() {
    const PageChain& chain = pages_.chain();
    if (!pages_.is_first_header_usual()) return PlainReason::page_header;
    linear_size_ = chain.linear_size(page_count_);
    linear_.reset(linear_size_);
    end_ = page_size - chain.first_header_size();
    next_body_ = end_;
    std::memcpy(linear_.data(), content_.data() + chain.first_header_size(), end_);
    PlainReason stopped = pass_head();
    if (stopped == PlainReason::none) stopped = pass_records();
    return finish(stopped);
}

/// Appends the next page's body to the linear content; false at the content's end or where a header
/// is not what it should be.
bool RecordScan::load_page() {
    if (pages_loaded_ == page_count_ || !pages_.accept(pages_loaded_)) return false;
    const std::size_t page = std::size_t{pages_loaded_} * page_size;
    std::memcpy(linear_.data() + end_, content_.data() + page + wal::short_page_header_size,
                short_body_size);
    end_ += short_body_size;
    ++pages_loaded_;
    return true;
}

/// Whether the linear content reaches to `linear_end`, loading pages up to there.
bool RecordScan::has(std::uint64_t linear_end) {
    while (linear_end > end_)
        if (!load_page()) return false;
    return true;
}

/// Checks the continuation lengths of the loaded pages that begin before `end`, where the record
/// ends that lies across them.
bool RecordScan::pass_pages(std::uint64_t end) {
    while (next_body_ < end && next_page_ < pages_loaded_) {
        if (!pages_.continues(next_page_, static_cast<std::uint32_t>(end - next_body_)))
            return false;
        ++next_page_;
        next_body_ += short_body_size;
    }
    return true;
}

/// Passes what a record begun before the content still owes.
PlainReason RecordScan::pass_head() {
    const std::uint32_t owed = pages_.chain().owed;
    if (owed > linear_size_) return PlainReason::saves_nothing;
    if (!has(owed) || !pass_pages(owed)) return PlainReason::page_header;
    const std::uint32_t begin = padded(owed);
    if (!is_zero({linear_.data() + owed, begin - owed})) return PlainReason::padding;
    std::memcpy(model_.common.head.extend(owed), linear_.data(), owed);
    position_ = begin;
    return PlainReason::none;
}

PlainReason RecordScan::pass_records() {
    while (position_ < linear_size_) {
        if (!has(position_ + wal::record_alignment)) return PlainReason::page_header;
        if (position_ == next_body_) {
            if (!pages_.continues(next_page_, 0)) return PlainReason::page_header;
            ++next_page_;
            next_body_ += short_body_size;
        }
        const std::byte* const record = linear_.data() + position_;
        const auto total = load_le<std::uint32_t>(record);
        if (total < wal::record_header_size) return PlainReason::record_header;
        const std::uint64_t end = std::uint64_t{position_} + total;
        const std::uint64_t lsn = pages_.chain().address + position_ +
                                  pages_.chain().first_header_size() +
                                  std::uint64_t{next_page_ - 1} * wal::short_page_header_size;
        if (!has(std::min<std::uint64_t>(end, linear_size_)) || !pass_pages(end))
            return PlainReason::page_header;
        if (end > linear_size_) {
            is_cut_ = true;
            return PlainReason::none;
        }
        const PlainReason wrong = check_record(record, total);
        if (wrong != PlainReason::none) return wrong;
        if (!take_record(record, total)) return PlainReason::too_many_templates;
        last_record_ = lsn;
        position_ = padded(position_ + total);
    }
    return PlainReason::none;
}

PlainReason RecordScan::check_record(const std::byte* record, std::uint32_t total) {
    const auto link = load_le<std::uint64_t>(record + wal::record_previous_offset);
    if (model_.record_count == 0)
        model_.first_link = link;
    else if (link != last_record_)
        return PlainReason::back_link;
    if (load_le<std::uint16_t>(record + wal::record_padding_offset) != 0)
        return PlainReason::record_header;
    if (crcs_ == RecordCrcs::checked && !is_crc_right(record, total))
        return PlainReason::record_crc;
    // Fewer than 8 bytes of padding, the upper ones of this word moved to the top.
    const std::uint32_t padding = padded(total) - total;
    const bool is_padding_zero =
        padding == 0 || load_le<std::uint64_t>(record + total) << (64 - 8 * padding) == 0;
    return is_padding_zero ? PlainReason::none : PlainReason::padding;
}

/// Notes which words at the beginning of the main data are the transaction, in the first records of
/// a template: commits, locks and updates repeat it.
void learn_xid_words(RecordTemplate& known, const std::byte* record, std::uint32_t total,
                     std::uint32_t xid) {
    const Piece* const main = known.main_data();
    if (main == nullptr) return;
    ++known.xid_samples;
    const std::uint32_t size = length_of(*main, record);
    const std::byte* const data = record + (total - size);
    std::uint32_t words = 0;
    for (std::uint32_t at = 0; at < 32 && at + 4 <= size; ++at)
        if (xid != 0 && load_le<std::uint32_t>(data + at) == xid) words |= 1U << at;
    known.xid_words &= words;
}

/// False if there are too many templates.
bool RecordScan::take_record(const std::byte* record, std::uint32_t total) {
    auto xid = load_le<std::uint32_t>(record + wal::record_xid_offset);
    (void)xids_.move(xid);
    const std::uint32_t guess = codes_.guess(xid);
    const auto found = templates_.find(record, total, guess);
    if (!found) return false;
    std::uint32_t index = *found;
    (void)codes_.move(xid, guess, index);
    RecordTemplate& known = model_.templates.data()[index];
    sample(known, position_);
    ++known.count;
    for (Piece& piece : known.pieces) {
        const std::uint32_t length = length_of(piece, record);
        piece.length_min = std::min(piece.length_min, length);
        piece.length_max = std::max(piece.length_max, length);
        piece.length_total += length;
    }
    if (known.xid_samples < xid_samples_max) learn_xid_words(known, record, total, xid);
    records_.push_back({position_, index});
    ++model_.record_count;
    return true;
}

/// What follows the records: nothing, the beginning of one more, zeros or whatever there is.
PlainReason RecordScan::finish(PlainReason stopped) {
    pages_.cut(is_cut_ ? page_count_ : pages_.chain().pages_before(position_));
    model_.chain = pages_.chain();
    if (stopped == PlainReason::none) {
        const std::size_t cut = linear_size_ - position_;
        std::memcpy(model_.common.cut.extend(cut), linear_.data() + position_, cut);
        return PlainReason::none;
    }
    const bool is_head_missing = position_ < model_.chain.owed;
    if (is_head_missing || stopped == PlainReason::too_many_templates) return stopped;
    const ByteView rest = content_.subspan(model_.chain.place_behind(position_));
    model_.is_tail_zero = is_zero(rest);
    if (model_.is_tail_zero) return PlainReason::none;
    // A tail is stored no better than by the plain method.
    if (rest.size() > content_.size() / 2) return stopped;
    std::memcpy(model_.common.tail.extend(rest.size()), rest.data(), rest.size());
    return PlainReason::none;
}

}  // namespace

PlainReason scan_records(ByteView content, RecordCrcs crcs, SegmentModel& model,
                         TemplateFinder& templates, LinearContent& linear, RecordPlaces& records) {
    if (content.size() < content_size_min || content.size() > plain_size_max ||
        content.size() % page_size != 0)
        return PlainReason::size;
    model.plain_size = static_cast<std::uint32_t>(content.size());
    model.version = wal::find_wal_version(load_le<std::uint16_t>(content.data()));
    if (model.version == nullptr) return PlainReason::version;
    const bool is_long = (load_le<std::uint16_t>(content.data() + wal::page_flags_offset) &
                          wal::has_long_header) != 0;
    if (is_long && load_le<std::uint32_t>(content.data() + wal::page_size_offset) != page_size)
        return PlainReason::other_page_size;
    return RecordScan(content, crcs, model, templates, linear, records).run();
}

}  // namespace walden::codec::wal_codec
