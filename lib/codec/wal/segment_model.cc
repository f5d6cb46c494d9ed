#include "codec/wal/segment_model.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace walden::codec::wal_codec {

void CommonStreams::list(std::vector<StreamSlot>& slots) {
    const StreamSlot all[] = {{&template_codes, 0, StreamClass::control},
                              {&template_numbers, 2, StreamClass::control},
                              {&xid_codes, 0, StreamClass::xid},
                              {&xids, 4, StreamClass::xid},
                              {&page_codes, 0, StreamClass::control},
                              {&page_headers, page_header_row_size, StreamClass::page_rows},
                              {&btree_specials, 16, StreamClass::page_rows},
                              {&small_specials, 8, StreamClass::page_rows},
                              {&page_gaps, 8, StreamClass::tuple_rows},
                              {&uniform_pages, 4, StreamClass::page_rows},
                              {&insert_codes, 0, StreamClass::control},
                              {&rare_rows, 0, StreamClass::record_data},
                              {&rare_data, 0, StreamClass::record_data},
                              {&whole_images, 0, StreamClass::image},
                              {&packed_images, 0, StreamClass::image},
                              {&head, 0, StreamClass::edge},
                              {&cut, 0, StreamClass::edge},
                              {&tail, 0, StreamClass::edge}};
    slots.insert(slots.end(), std::begin(all), std::end(all));
}

void SegmentModel::clear() {
    chain = {};
    version = nullptr;
    plain_size = 0;
    record_count = 0;
    first_link = 0;
    is_tail_zero = false;
    template_count = 0;
    relations.clear();
    relation_numbers_.clear();
    release_excess();
    for (Stream& stream : pool_) stream.clear();
    slots_.clear();
    common.list(slots_);
    for (const StreamSlot& slot : slots_) slot.stream->clear();
    slots_.clear();
    pool_used_ = 0;
}

void SegmentModel::release_excess() {
    // The n-th stream of the pool belongs to another template each time, so left alone each of them
    // would grow to the size of the largest.
    std::size_t held = 0;
    std::size_t used = 0;
    for (const Stream& stream : pool_) {
        held += stream.capacity();
        used += stream.size();
    }
    if (held < (std::size_t{32} << 20) || held < 3 * used) return;
    for (Stream& stream : pool_)
        if (stream.capacity() > 4 * stream.size()) stream.release();
}

void SegmentModel::exchange_streams(SegmentModel& other) {
    pool_.swap(other.pool_);
    slots_.clear();
    other.slots_.clear();
    common.list(slots_);
    other.common.list(other.slots_);
    for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i].stream->swap(*other.slots_[i].stream);
    slots_.clear();
    other.slots_.clear();
}

RecordTemplate& SegmentModel::next_template() {
    if (template_count == templates.size()) templates.emplace_back();
    return templates[template_count++];
}

void SegmentModel::find_relations(const std::byte* record, const HeaderShape& shape,
                                  std::array<std::uint32_t, blocks_max>& found) {
    for (std::size_t i = 0; i < shape.block_count; ++i) {
        RelationKey key;
        std::memcpy(key.data(), record + shape.blocks[i].relation_at, key.size());
        const auto number = static_cast<std::uint32_t>(relations.size());
        const auto [place, is_new] = relation_numbers_.try_emplace(key, number);
        if (is_new) relations.emplace_back();
        found[i] = place->second;
    }
}

Stream* SegmentModel::take_stream() {
    if (pool_used_ == pool_.size()) pool_.emplace_back();
    return &pool_[pool_used_++];
}

void SegmentModel::assign_streams() {
    for (Relation& relation : relations) {
        if (!relation.has_own_streams) continue;
        for (Stream** stream :
             {&relation.data, &relation.line_pointers, &relation.items, &relation.item_heads,
              &relation.insert_headers, &relation.insert_rows, &relation.insert_heads})
            *stream = take_stream();
    }
    for (std::uint32_t i = 0; i < template_count; ++i) {
        RecordTemplate& owner = templates[i];
        owner.rows = owner.has_own_streams ? take_stream() : &common.rare_rows;
        owner.data = owner.has_own_streams ? take_stream() : &common.rare_data;
        for (Piece& piece : owner.pieces) {
            const bool has_relation = piece.kind != PieceKind::opaque &&
                                      (piece.kind != PieceKind::main_data || owner.is_heap);
            const bool is_of_relation =
                owner.has_own_streams && has_relation && relations[piece.relation].has_own_streams;
            piece.rest = is_of_relation ? relations[piece.relation].data : owner.data;
        }
    }
}

void SegmentModel::list_slots() {
    slots_.clear();
    common.list(slots_);
    for (const Relation& relation : relations) {
        if (!relation.has_own_streams) continue;
        const StreamSlot own[] = {
            {relation.data, 0, StreamClass::record_data},
            {relation.line_pointers, line_pointer_row_size, StreamClass::page_rows},
            {relation.items, relation.page_items.usual_size, StreamClass::tuple_rows},
            {relation.item_heads, relation.page_items.head_size, StreamClass::tuple_rows},
            {relation.insert_headers, insert_header_size, StreamClass::tuple_rows},
            {relation.insert_rows, relation.inserted_rows.usual_size, StreamClass::tuple_rows},
            {relation.insert_heads, relation.inserted_rows.head_size, StreamClass::tuple_rows}};
        slots_.insert(slots_.end(), std::begin(own), std::end(own));
    }
    for (std::uint32_t i = 0; i < template_count; ++i) {
        const RecordTemplate& owner = templates[i];
        if (!owner.has_own_streams) continue;
        slots_.push_back({owner.rows, owner.row_width, StreamClass::record_rows});
        slots_.push_back({owner.data, 0, StreamClass::record_data});
    }
}

}  // namespace walden::codec::wal_codec
