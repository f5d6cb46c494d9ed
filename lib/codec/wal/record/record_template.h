// Templates: what the records of one kind, for one relation, have in common.
//
// A template is a record's header with all its numbers zeroed: resource manager, info, blocks with
// their flags and relations, the form of the main data. There are some tens of them in a segment.
// What remains of a record is a row of a fixed width for each template, and bytes of varying
// length.
#pragma once

#include "base/bytes.h"
#include "codec/wal/container/stream.h"
#include "codec/wal/record/header_shape.h"
#include "wal/record.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace walden::codec::wal_codec {

/// A run of bytes behind a record's header, announced by a length in it.
enum class PieceKind : std::uint8_t {
    image,         ///< a page image of the main fork, not packed
    other_image,   ///< packed by PostgreSQL, or of another fork: it stays whole
    block_data,    ///< what belongs to a block
    multi_insert,  ///< the rows of a COPY or another multi-insert
    main_data,
    opaque,  ///< everything behind the XLogRecord of a record that was not understood
};

struct Piece {
    PieceKind kind = PieceKind::main_data;
    bool has_hole = false;          ///< image
    bool is_first_block = false;    ///< of block 0
    std::uint16_t length_at = 0;    ///< where in the header the length is
    std::uint32_t length_mask = 0;  ///< of the four bytes there, those that are the length
    std::uint16_t hole_offset_at = 0;
    std::uint32_t relation = 0;  ///< index; of a block's piece

    // Seen while the content was scanned; stored in the directory.
    std::uint32_t length_min = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t length_max = 0;
    std::uint64_t length_total = 0;  ///< not stored: how much data a relation has

    // Chosen by the splitter (prefix_choice.h), stored in the directory.
    std::uint16_t prefix = 0;  ///< so many bytes of the piece are in the row ...

    // The layout of the row, as of lay_out().
    std::uint16_t prefix_at = 0;  ///< ... from here on; the rest goes to a stream:
    Stream* rest = nullptr;
    bool is_padded = false;  ///< the whole piece is in the row, zeros behind it

    /// So many bytes of the piece are in every row: what may be predicted.
    [[nodiscard]] std::uint32_t always_in_row() const {
        return std::min<std::uint32_t>(prefix, length_min);
    }
};

/// A number of the header and its place in the row.
struct RowNumber {
    std::uint16_t at = 0;   ///< in the record
    std::uint16_t row = 0;  ///< in the row
    std::uint32_t mask = 0;
    bool is_xid = false;  ///< stored as its distance from the record's transaction
};

/// Kinds of record whose contents predict others, or are predicted (word_prediction.h). Taking a
/// record for one of these wrongly costs bytes and nothing else.
enum class RecordRole : std::uint8_t { other, heap_insert, heap_update, btree_insert };

/// A template with fewer records than this has no row table and no stream of its own.
inline constexpr std::uint32_t own_records_min = 24;

/// The largest prefix.
inline constexpr std::uint32_t prefix_size_max = 600;

/// Records of a template that the choice of its prefixes is based on.
inline constexpr std::size_t template_samples_max = 64;

/// Four-byte words of a record that may be copies of words of an earlier tuple.
inline constexpr std::size_t predicted_words_max = 16;

struct RecordTemplate {
    // What it is.
    std::uint8_t info = 0;
    std::uint8_t resource_manager = 0;
    bool is_opaque = false;
    bool is_heap = false;  ///< what goes to a stream goes to the relation's
    RecordRole role = RecordRole::other;
    std::uint16_t header_size = 0;
    std::uint16_t top_xid_at = 0;
    std::uint16_t block_number_at = 0;  ///< of block 0
    std::vector<std::byte> header;      ///< behind XLogRecord; numbers are zero
    std::vector<RowNumber> numbers;     ///< all of the header that may vary, lengths included
    std::vector<Piece> pieces;

    // How a record is compared with it: 8 bytes at a time, numbers masked out.
    std::vector<std::uint64_t> compared;
    std::vector<std::uint64_t> mask;

    // Seen while the content was scanned.
    std::uint32_t count = 0;
    std::uint32_t xid_words = 0;  ///< bit n: the main data repeats the transaction at offset n
    std::uint32_t xid_samples = 0;
    std::uint32_t sample_count = 0;
    std::uint32_t sample_step = 1;  ///< a power of two: every so many records one is sampled
    std::array<std::uint32_t, template_samples_max> samples;  ///< linear offsets; not initialised
    std::uint32_t successor = 0;  ///< the template that followed last, in the same transaction

    // The layout, as of lay_out().
    bool has_own_streams = false;
    std::uint16_t row_width = 0;
    Stream* rows = nullptr;
    Stream* data = nullptr;
    std::vector<RowNumber> row_numbers;      ///< those of `numbers` that vary
    std::vector<std::uint16_t> xid_offsets;  ///< in the main data
    std::vector<std::byte> joined_header;    ///< `header` with the lengths that never vary; slack
    std::uint16_t words_at = 0;              ///< of the mask in the row; only with word_count
    std::uint16_t first_word = 0;            ///< offset of the first predicted word in its piece
    std::uint16_t word_count = 0;
    std::array<std::uint16_t, predicted_words_max> word_source{};
    std::array<std::uint8_t, predicted_words_max> word_misses{};

    [[nodiscard]] const Piece* main_data() const {
        return !pieces.empty() && pieces.back().kind == PieceKind::main_data ? &pieces.back()
                                                                             : nullptr;
    }
};

/// Fills the first part of `made` from a record's first bytes and shape, all else reset.
/// `relations` says which relation each block belongs to. The numbers of the record do not matter.
void make_template(const std::byte* record, const HeaderShape& shape,
                   const std::array<std::uint32_t, blocks_max>& relations, RecordTemplate& made);

/// As make_template() for records whose headers are not understood.
void make_opaque_template(std::uint8_t info, std::uint8_t resource_manager, RecordTemplate& made);

/// Whether a piece of the template may have a prefix in the row, once the template's count is
/// known.
[[nodiscard]] bool may_have_prefix(const RecordTemplate& known, const Piece& piece);

/// So many bytes a row has for all prefixes together, once the lengths of the pieces are known.
[[nodiscard]] std::uint32_t prefix_room(const RecordTemplate& known);

/// Decides what is where in the rows, from count, lengths and prefixes, for which there is room.
/// Both sides call it with the same values.
void lay_out(RecordTemplate& laid);

/// Fills joined_header.
void fill_in_constants(RecordTemplate& laid);

/// The offsets in the main data that are predicted to be the transaction: those that always were.
/// They must lie in the row.
void choose_xid_offsets(RecordTemplate& laid);

/// Whether a record of `total` bytes is of this template. So many bytes as the header has, and a
/// few of slack, must be readable.
[[nodiscard]] inline bool matches(const RecordTemplate& candidate, const std::byte* record,
                                  std::uint32_t total) {
    if (static_cast<std::uint8_t>(record[wal::record_info_offset]) != candidate.info ||
        static_cast<std::uint8_t>(record[wal::record_manager_offset]) !=
            candidate.resource_manager ||
        total < candidate.header_size || candidate.is_opaque)
        return false;
    const std::uint64_t* const compared = candidate.compared.data();
    const std::uint64_t* const mask = candidate.mask.data();
    std::uint64_t difference = 0;
    for (std::size_t i = 0; i < candidate.mask.size(); ++i)
        difference |= (load_le<std::uint64_t>(record + wal::record_header_size + 8 * i) & mask[i]) ^
                      compared[i];
    if (difference != 0) return false;
    std::uint64_t sum = candidate.header_size;
    for (const Piece& piece : candidate.pieces)
        sum += load_le<std::uint32_t>(record + piece.length_at) & piece.length_mask;
    return sum == total;
}

/// Notes the place of one of the template's records, if it is one to be sampled: in the end every
/// `sample_step`-th has been. To be called before the record is counted.
inline void sample(RecordTemplate& known, std::uint32_t linear_offset) {
    if ((known.count & (known.sample_step - 1)) != 0) return;
    if (known.sample_count == template_samples_max) {
        for (std::size_t i = 0; i < template_samples_max / 2; ++i)
            known.samples[i] = known.samples[2 * i];
        known.sample_count = template_samples_max / 2;
        known.sample_step *= 2;
    }
    known.samples[known.sample_count++] = linear_offset;
}

/// The length that a record's header announces for one of its pieces.
[[nodiscard]] inline std::uint32_t length_of(const Piece& piece, const std::byte* record) {
    return load_le<std::uint32_t>(record + piece.length_at) & piece.length_mask;
}

}  // namespace walden::codec::wal_codec
