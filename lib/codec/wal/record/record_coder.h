// One record between the linear content and the streams: the heart of the codec, for both
// directions.
#pragma once

#include "codec/wal/container/direction.h"
#include "codec/wal/image/multi_insert.h"
#include "codec/wal/image/page_image.h"
#include "codec/wal/record/word_prediction.h"
#include "codec/wal/segment_model.h"
#include "wal/record.h"

#include <cstddef>
#include <cstdint>

namespace walden::codec::wal_codec {

/// Moves the records of a content, in their order. One thread at a time.
template <Direction direction>
class RecordCoder {
public:
    /// `linear` is the linear content, which the model's records lie in.
    RecordCoder(SegmentModel& model, const std::byte* linear)
        : model_(model), prediction_(linear, model.plain_size) {}

    /// Moves what is behind the first 20 bytes of a record, of which transaction, info and resource
    /// manager are there. Splitting, `total` is the record's size; joining, it becomes that, at
    /// most `room` bytes. Behind these, slack is spoilt. False if the streams end or are not what a
    /// splitter writes.
    [[nodiscard]] bool move(std::byte* record, std::size_t room, RecordTemplate& known,
                            std::uint32_t& total) {
        std::byte* const row = row_of(known);
        if (row == nullptr) return false;
        if (known.is_opaque) return move_opaque(record, room, known, row, total);
        const auto xid = load_le<std::uint32_t>(record + wal::record_xid_offset);
        if constexpr (direction == Direction::join) {
            if (known.header_size > room) return false;
            copy_loosely(record + wal::record_header_size, known.joined_header.data(),
                         known.header.size());
        }
        move_numbers(record, known, row, xid);
        if constexpr (direction == Direction::join) {
            std::uint64_t sum = known.header_size;
            for (const Piece& piece : known.pieces) sum += length_of(piece, record);
            if (sum > room) return false;
            total = static_cast<std::uint32_t>(sum);
            store_le<std::uint32_t>(record, total);
        }
        std::byte* at = record + known.header_size;
        for (const Piece& piece : known.pieces) {
            const std::uint32_t size = length_of(piece, record);
            if (!move_piece({record, at, size, total, xid, row}, known, piece)) return false;
            at += size;
        }
        return true;
    }

private:
    /// A piece where it lies, and what it belongs to.
    struct Place {
        std::byte* record;
        std::byte* bytes;
        std::uint32_t size;
        std::uint32_t total;  ///< of the record
        std::uint32_t xid;
        std::byte* row;
    };

    /// The next row of the template's table. Joining, nobody writes to it.
    static std::byte* row_of(RecordTemplate& known) {
        if constexpr (direction == Direction::split)
            return known.rows->extend(known.row_width);
        else
            return const_cast<std::byte*>(known.rows->take(known.row_width));
    }

    /// Numbers are copied four bytes at a time, whatever their width: a row is written in ascending
    /// order, and in the record the bytes around a number are kept.
    static void move_numbers(std::byte* record, const RecordTemplate& known, std::byte* row,
                             std::uint32_t xid) {
        for (const RowNumber& number : known.row_numbers) {
            std::byte* const in_record = record + number.at;
            std::byte* const in_row = row + number.row;
            if constexpr (direction == Direction::split) {
                const auto value = load_le<std::uint32_t>(in_record);
                store_le<std::uint32_t>(in_row, number.is_xid ? xid - value : value);
            } else {
                const auto kept = load_le<std::uint32_t>(in_record) & ~number.mask;
                const auto stored = load_le<std::uint32_t>(in_row);
                const std::uint32_t value = number.is_xid ? xid - stored : stored;
                store_le<std::uint32_t>(in_record, kept | (value & number.mask));
            }
        }
    }

    static bool move_opaque(std::byte* record, std::size_t room, RecordTemplate& known,
                            std::byte* row, std::uint32_t& total) {
        if constexpr (direction == Direction::split) {
            store_le<std::uint32_t>(row, total);
        } else {
            total = load_le<std::uint32_t>(row);
            if (total < wal::record_header_size || total > room) return false;
            store_le<std::uint32_t>(record, total);
        }
        return move_loosely<direction>(*known.pieces.front().rest, record + wal::record_header_size,
                                       total - wal::record_header_size);
    }

    bool move_piece(const Place& place, RecordTemplate& known, const Piece& piece) {
        switch (piece.kind) {
            case PieceKind::image:
                return move_image<direction>(
                    {.bytes = place.bytes,
                     .size = place.size,
                     .hole_offset = load_le<std::uint16_t>(place.record + piece.hole_offset_at),
                     .has_hole = piece.has_hole},
                    model_.common, model_.relations.data()[piece.relation]);
            case PieceKind::other_image:
                return move_exactly<direction>(model_.common.packed_images, place.bytes,
                                               place.size);
            case PieceKind::multi_insert: return move_multi_insert(place, known, piece);
            case PieceKind::block_data: return move_block_data(place, known, piece);
            case PieceKind::main_data: return move_main_data(place, known, piece);
            case PieceKind::opaque: break;
        }
        return false;
    }

    /// The first bytes of a piece are in the row, the rest in a stream.
    static bool move_rest(const Place& place, const Piece& piece) {
        if (piece.is_padded) return true;
        return move_loosely<direction>(*piece.rest, place.bytes + piece.prefix,
                                       place.size - piece.prefix);
    }

    static bool move_prefix(const Place& place, const Piece& piece) {
        if (piece.prefix > place.size) return piece.is_padded && move_padded(place, piece);
        if (piece.is_padded && piece.prefix < place.size) return false;
        if constexpr (direction == Direction::split)
            copy_loosely(place.row + piece.prefix_at, place.bytes, piece.prefix);
        else
            copy_loosely(place.bytes, place.row + piece.prefix_at, piece.prefix);
        return true;
    }

    static bool move_padded(const Place& place, const Piece& piece) {
        if constexpr (direction == Direction::split) {
            std::memset(place.row + piece.prefix_at, 0, piece.prefix);
            std::memcpy(place.row + piece.prefix_at, place.bytes, place.size);
        } else {
            copy_loosely(place.bytes, place.row + piece.prefix_at, place.size);
        }
        return true;
    }

    bool move_multi_insert(const Place& place, const RecordTemplate& known, const Piece& piece) {
        // xl_heap_multi_insert: flags (1), a gap, the number of rows (2). The main data comes later
        // in the record, but its beginning is in the row.
        std::uint32_t row_count = 0;
        const Piece* const main = known.main_data();
        if (main != nullptr && main->always_in_row() >= 4) {
            if constexpr (direction == Direction::split)
                row_count = load_le<std::uint16_t>(place.record + place.total -
                                                   length_of(*main, place.record) + 2);
            else
                row_count = load_le<std::uint16_t>(place.row + main->prefix_at + 2);
        }
        return move_inserted_rows<direction>(place.bytes, place.size, row_count, model_.common,
                                             model_.relations.data()[piece.relation]);
    }

    bool move_block_data(const Place& place, RecordTemplate& known, const Piece& piece) {
        if (!move_prefix(place, piece)) return false;
        std::byte* const in_row = place.row + piece.prefix_at;
        if (known.role == RecordRole::btree_insert && piece.is_first_block)
            prediction_.move_index_tuple(known, piece.always_in_row(),
                                         {place.bytes, in_row, place.row}, place.xid);
        if (!move_rest(place, piece)) return false;
        const bool is_row =
            known.role == RecordRole::heap_insert || known.role == RecordRole::heap_update;
        if (is_row && piece.is_first_block)
            prediction_.see_tuple(place.xid, place.bytes, place.size);
        return true;
    }

    bool move_main_data(const Place& place, RecordTemplate& known, const Piece& piece) {
        if (!move_prefix(place, piece)) return false;
        std::byte* const in_row = place.row + piece.prefix_at;
        if (known.role == RecordRole::heap_update && known.word_count > 0)
            prediction_.move_words(known, {place.bytes, in_row, place.row}, place.xid);
        for (const std::uint16_t offset : known.xid_offsets) {
            if constexpr (direction == Direction::split)
                store_le<std::uint32_t>(in_row + offset,
                                        load_le<std::uint32_t>(in_row + offset) - place.xid);
            else
                store_le<std::uint32_t>(place.bytes + offset,
                                        load_le<std::uint32_t>(place.bytes + offset) + place.xid);
        }
        if (!move_rest(place, piece)) return false;
        if (known.role != RecordRole::other)
            prediction_.see_main_data(known, place.record, place.bytes, place.size, place.xid);
        return true;
    }

    SegmentModel& model_;
    WordPrediction<direction> prediction_;
};

}  // namespace walden::codec::wal_codec
