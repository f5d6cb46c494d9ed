#include "support/wal_builder.h"

#include "base/hash.h"
#include "wal/page_header.h"
#include "wal/record.h"

#include <algorithm>
#include <cassert>

namespace walden::test {

using namespace wal;

WalBuilder::WalBuilder(WalOptions options)
    : options_(options),
      timeline_(options.first.timeline),
      last_record_(options.previous_record),
      random_(options.seed) {}

std::byte WalBuilder::random_byte() {
    random_ = random_ * 1664525 + 1013904223;
    return static_cast<std::byte>(random_ >> 24);
}

WalBuilder& WalBuilder::record(std::uint32_t total_length, RecordKind kind) {
    assert(total_length >= record_header_size);
    Bytes body(total_length - record_header_size);
    for (std::byte& b : body) b = random_byte();
    // The shape of a main data piece, where there is room for one.
    if (body.size() >= 2 && body.size() - 2 < 256) {
        body[0] = std::byte{255};
        body[1] = static_cast<std::byte>(body.size() - 2);
    } else if (body.size() >= 5) {
        body[0] = std::byte{254};
        store_le(&body[1], static_cast<std::uint32_t>(body.size() - 5));
    }
    append_record(std::move(body), kind);
    return *this;
}

WalBuilder& WalBuilder::record_with(ByteView main_data, RecordKind kind) {
    assert(main_data.size() < 256);
    Bytes body = {std::byte{255}, static_cast<std::byte>(main_data.size())};
    append(body, main_data);
    append_record(std::move(body), kind);
    return *this;
}

WalBuilder& WalBuilder::record_of(ByteView body, RecordKind kind) {
    append_record(to_bytes(body), kind);
    return *this;
}

WalBuilder& WalBuilder::commit(std::uint32_t xid, std::int64_t time) {
    Bytes main_data;
    ByteWriter(main_data).write(static_cast<std::uint64_t>(time));
    return record_with(main_data, {transaction_manager, 0x00, xid});
}

WalBuilder& WalBuilder::abort(std::uint32_t xid, std::int64_t time) {
    Bytes main_data;
    ByteWriter(main_data).write(static_cast<std::uint64_t>(time));
    return record_with(main_data, {transaction_manager, 0x20, xid});
}

WalBuilder& WalBuilder::checkpoint(Lsn redo) {
    Bytes main_data(88);
    std::fill(main_data.begin(), main_data.end(), std::byte{0});
    store_le(main_data.data(), redo.value);
    store_le(main_data.data() + 8, timeline_);
    store_le(main_data.data() + 12, timeline_);
    return record_with(main_data, {xlog_manager, 0x10, 0});
}

WalBuilder& WalBuilder::change_timeline(TimelineId to) {
    Bytes main_data(88);
    std::fill(main_data.begin(), main_data.end(), std::byte{0});
    store_le(main_data.data(), end().value);
    store_le(main_data.data() + 8, to);
    store_le(main_data.data() + 12, timeline_);
    record_with(main_data, {xlog_manager, 0x00, 0});
    timeline_ = to;
    return *this;
}

WalBuilder& WalBuilder::fill(std::uint32_t length, std::uint32_t rest) {
    const std::size_t segment_end = (at_ / segment_bytes() + 1) * segment_bytes();
    const auto left = [&] { return segment_end - at_; };
    while (left() > rest + length + options_.page_size) record(length);
    while (left() >= rest + record_header_size)
        record(static_cast<std::uint32_t>(std::min<std::size_t>(length, left() - rest)));
    return *this;
}

WalBuilder& WalBuilder::fill_exactly() {
    fill(200, options_.page_size / 2);
    const std::size_t left = segment_bytes() - at_ % segment_bytes();
    assert(left <= options_.page_size && left >= record_header_size);
    return record(static_cast<std::uint32_t>(left));
}

WalBuilder& WalBuilder::switch_segment() {
    append_record({}, {xlog_manager, 0x40, 0});
    at_ = (at_ + segment_bytes() - 1) / segment_bytes() * segment_bytes();
    return *this;
}

WalBuilder& WalBuilder::torn_record(std::uint32_t total_length) {
    const std::size_t page_end = (at_ / options_.page_size + 1) * options_.page_size;
    assert(at_ % options_.page_size != 0 && total_length > page_end - at_);
    const Lsn torn = end();
    const Lsn link = last_record_;
    const std::vector<Lsn> records = records_;
    record(total_length);
    cut_at(page_end);
    last_record_ = link;
    records_ = records;
    begin_page(0, first_is_overwrite);
    Bytes main_data;
    ByteWriter writer(main_data);
    writer.write(torn.value);
    writer.write(std::uint64_t{0});
    return record_with(main_data, {xlog_manager, 0xD0, 0});
}

/// Appends the header and body of a record, over as many pages as it takes.
void WalBuilder::append_record(Bytes body, RecordKind kind) {
    if (at_ % options_.page_size == 0) begin_page(0, 0);
    const Lsn lsn = end();
    Bytes record(record_header_size);
    std::fill(record.begin(), record.end(), std::byte{0});
    store_le(record.data(), static_cast<std::uint32_t>(record_header_size + body.size()));
    store_le(record.data() + 4, kind.xid);
    store_le(record.data() + 8, last_record_.value);
    record[16] = static_cast<std::byte>(kind.info);
    record[17] = static_cast<std::byte>(kind.resource_manager);
    store_le(record.data() + record_crc_offset,
             crc32c_finish(crc32c_update(crc32c_update(crc32c_start, body),
                                         ByteView(record).first(record_crc_offset))));
    append(record, body);
    write(record);
    pad();
    last_record_ = lsn;
    records_.push_back(lsn);
}

void WalBuilder::write(ByteView bytes) {
    while (!bytes.empty()) {
        if (at_ % options_.page_size == 0)
            begin_page(static_cast<std::uint32_t>(bytes.size()), first_is_continuation);
        const std::size_t room = options_.page_size - at_ % options_.page_size;
        const ByteView piece = bytes.first(std::min(room, bytes.size()));
        std::copy(piece.begin(), piece.end(), stream_.begin() + static_cast<std::ptrdiff_t>(at_));
        at_ += piece.size();
        bytes = bytes.subspan(piece.size());
    }
}

void WalBuilder::begin_page(std::uint32_t remaining_length, std::uint16_t flags) {
    const bool is_first = at_ % segment_bytes() == 0;
    if (at_ == stream_.size()) stream_.insert(stream_.end(), segment_bytes(), std::byte{0});
    std::byte* const page = stream_.data() + at_;
    store_le(page, options_.magic);
    store_le(page + 2, static_cast<std::uint16_t>(flags | (is_first ? has_long_header : 0)));
    store_le(page + 4, timeline_);
    store_le(page + 8, first_lsn(options_.first, options_.segment_size).value + at_);
    store_le(page + 16, remaining_length);
    if (is_first) {
        store_le(page + 24, options_.system_identifier);
        store_le(page + 32, options_.segment_size.bytes());
        store_le(page + 36, options_.page_size);
    }
    at_ += is_first ? long_page_header_size : short_page_header_size;
}

void WalBuilder::pad() {
    at_ = (at_ + record_alignment - 1) / record_alignment * record_alignment;
}

WalBuilder& WalBuilder::flip_byte(std::size_t offset, unsigned bits) {
    stream_.at(offset) ^= static_cast<std::byte>(bits);
    return *this;
}

WalBuilder& WalBuilder::store(std::size_t offset, ByteView bytes) {
    assert(offset + bytes.size() <= stream_.size());
    std::copy(bytes.begin(), bytes.end(), stream_.begin() + static_cast<std::ptrdiff_t>(offset));
    return *this;
}

WalBuilder& WalBuilder::zero(std::size_t offset, std::size_t size) {
    return store(offset, std::vector<std::byte>(size));
}

WalBuilder& WalBuilder::zero_from(std::size_t offset) {
    return zero(offset, stream_.size() - offset);
}

WalBuilder& WalBuilder::cut_at(std::size_t offset) {
    zero_from(offset);
    at_ = offset;
    return *this;
}

WalBuilder& WalBuilder::recycle_from(std::size_t offset, const WalBuilder& other) {
    return store(offset, ByteView(other.stream_).subspan(offset, stream_.size() - offset));
}

WalBuilder& WalBuilder::seal_record(std::size_t offset) {
    const auto length = load_le<std::uint32_t>(stream_.data() + offset);
    const ByteView record = ByteView(stream_).subspan(offset, length);
    store_le(stream_.data() + offset + record_crc_offset,
             crc32c(record.subspan(record_header_size), record.first(record_crc_offset)));
    return *this;
}

Lsn WalBuilder::end() const {
    const Lsn base = first_lsn(options_.first, options_.segment_size);
    if (at_ % segment_bytes() == 0) return base + at_ + long_page_header_size;
    if (at_ % options_.page_size == 0) return base + at_ + short_page_header_size;
    return base + at_;
}

std::size_t WalBuilder::offset_of(Lsn lsn) const {
    return lsn - first_lsn(options_.first, options_.segment_size);
}

SegmentName WalBuilder::name(std::size_t index) const {
    return {timeline_, options_.first.segment_number + index};
}

Bytes WalBuilder::segment(std::size_t index) const {
    return to_bytes(ByteView(stream_).subspan(index * segment_bytes(), segment_bytes()));
}

SegmentReport WalBuilder::read(std::size_t index, const SegmentCarry* carry_in) const {
    return read_segment(
        {.bytes = ByteView(stream_).subspan(index * segment_bytes(), segment_bytes()),
         .name = name(index),
         .segment_size = options_.segment_size,
         .system_identifier = options_.system_identifier,
         .carry_in = carry_in});
}

}  // namespace walden::test
