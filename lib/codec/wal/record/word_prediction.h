// Bytes of one record that an earlier record of the same transaction foretells.
//
// An index tuple names the row it belongs to, which is most often the row that the transaction
// wrote last, and its key repeats columns of that row; the old row that a logical update carries
// repeats the new one. Which word of the key is at which place in the row is learned on the way, by
// both sides in the same manner, so nothing is stored about it. Wrong guesses cost bytes only.
#pragma once

#include "codec/wal/container/direction.h"
#include "codec/wal/record/record_template.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace walden::codec::wal_codec {

/// Where a piece with predicted words is, in the record and, as stored, in its row.
struct PredictedPiece {
    std::byte* in_record = nullptr;
    std::byte* in_row = nullptr;
    std::byte* row = nullptr;
};

/// What was seen in the records of a content so far. One thread at a time.
template <Direction direction>
class WordPrediction {
public:
    /// `linear` is the linear content, of `size` bytes, which all tuples lie in.
    WordPrediction(const std::byte* linear, std::size_t size)
        : linear_(linear), search_budget_(search_budget_per_byte * size) {}

    /// Notes the row version that a heap record of the transaction carries.
    void see_tuple(std::uint32_t xid, const std::byte* tuple, std::uint32_t size) {
        last_tuple_[xid & 0xFF] = {static_cast<std::uint32_t>(tuple - linear_),
                                   std::min(size, tuple_size_max)};
    }

    /// Notes where a heap insert or update of the transaction put its row (xl_heap_insert and
    /// xl_heap_update, src/include/access/heapam_xlog.h).
    void see_main_data(const RecordTemplate& known, const std::byte* record, const std::byte* main,
                       std::uint32_t size, std::uint32_t xid) {
        const std::uint32_t at = known.role == RecordRole::heap_insert ? 0 : new_offset_in_update;
        if (known.role == RecordRole::btree_insert || size < at + 2) return;
        last_row_[xid & 0xFF] = {load_le<std::uint32_t>(record + known.block_number_at),
                                 load_le<std::uint16_t>(main + at)};
    }

    /// The index tuple of a btree insert, of which `in_row` bytes are in every row: the row it
    /// names (ItemPointerData: high and low half of the block number, offset) becomes the distance
    /// from the last one, then its words.
    void move_index_tuple(RecordTemplate& known, std::uint32_t in_row, const PredictedPiece& piece,
                          std::uint32_t xid) {
        if (in_row < index_tuple_header_size) return;
        const RowPlace& last = last_row_[xid & 0xFF];
        std::byte* const at = direction == Direction::split ? piece.in_row : piece.in_record;
        std::uint32_t block = static_cast<std::uint32_t>(load_le<std::uint16_t>(at)) << 16 |
                              load_le<std::uint16_t>(at + 2);
        std::uint32_t offset = load_le<std::uint16_t>(at + 4);
        if constexpr (direction == Direction::split) {
            block -= last.block;
            offset -= last.offset;
        } else {
            block += last.block;
            offset += last.offset;
        }
        store_le<std::uint16_t>(at, static_cast<std::uint16_t>(block >> 16));
        store_le<std::uint16_t>(at + 2, static_cast<std::uint16_t>(block & 0xFFFF));
        store_le<std::uint16_t>(at + 4, static_cast<std::uint16_t>(offset & 0xFFFF));
        if (known.word_count > 0) move_words(known, piece, xid);
    }

    /// The words of `known.word_count`. A word that its source foretells is 0 in the row, and its
    /// bit in the row's mask is set.
    void move_words(RecordTemplate& known, const PredictedPiece& piece, std::uint32_t xid) {
        const Tuple tuple = last_tuple_[xid & 0xFF];
        const std::byte* const source = linear_ + tuple.offset;
        std::uint32_t mask = 0;
        if constexpr (direction == Direction::join)
            mask = load_le<std::uint16_t>(piece.row + known.words_at);
        for (std::uint32_t i = 0; i < known.word_count; ++i) {
            const std::uint32_t at = known.first_word + 4 * i;
            std::byte* const word = piece.in_record + at;
            const std::uint32_t from = known.word_source[i];
            const bool has_source = from + 4 <= tuple.size;
            bool is_hit = (mask >> i & 1) != 0;
            if constexpr (direction == Direction::split) {
                is_hit = has_source &&
                         load_le<std::uint32_t>(source + from) == load_le<std::uint32_t>(word);
                if (is_hit) {
                    mask |= 1U << i;
                    store_le<std::uint32_t>(piece.in_row + at, 0);
                }
            } else if (is_hit && has_source) {
                store_le<std::uint32_t>(word, load_le<std::uint32_t>(source + from));
            }
            if (is_hit)
                known.word_misses[i] = 0;
            else
                learn(known, i, load_le<std::uint32_t>(word), {source, tuple.size});
        }
        if constexpr (direction == Direction::split)
            store_le<std::uint16_t>(piece.row + known.words_at, static_cast<std::uint16_t>(mask));
    }

private:
    struct Tuple {
        std::uint32_t offset = 0;  ///< linear
        std::uint32_t size = 0;
    };

    struct RowPlace {
        std::uint32_t block = 0;
        std::uint32_t offset = 0;
    };

    static constexpr std::uint32_t tuple_size_max = 1024;
    static constexpr std::uint32_t new_offset_in_update = 12;
    static constexpr std::uint32_t index_tuple_header_size = 8;
    /// After so many misses in a row, only every 32nd searches.
    static constexpr std::uint8_t patience = 6;
    /// Real contents search less than one byte for each of theirs. The bound is for hostile
    /// streams, whose every record might search.
    static constexpr std::size_t search_budget_per_byte = 4;

    /// Looks where in the tuple the word would have been.
    void learn(RecordTemplate& known, std::uint32_t i, std::uint32_t word, ByteView tuple) {
        const std::uint8_t misses = ++known.word_misses[i];
        if (word == 0 || (misses > patience && misses % 32 != 0)) return;
        if (tuple.size() < 4 || search_budget_ < tuple.size()) return;
        search_budget_ -= tuple.size();
        for (std::size_t at = 0; at + 4 <= tuple.size(); ++at) {
            if (load_le<std::uint32_t>(tuple.data() + at) != word) continue;
            known.word_source[i] = static_cast<std::uint16_t>(at);
            return;
        }
    }

    const std::byte* linear_;
    std::size_t search_budget_;
    /// By the lowest byte of the transaction.
    std::array<Tuple, 256> last_tuple_{};
    std::array<RowPlace, 256> last_row_{};
};

}  // namespace walden::codec::wal_codec
