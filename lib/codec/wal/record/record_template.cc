#include "codec/wal/record/record_template.h"

#include "wal/record.h"

#include <algorithm>
#include <bit>

namespace walden::codec::wal_codec {

namespace {

// src/include/access/rmgrlist.h: the same numbers in all versions.
constexpr std::uint8_t heap2_manager = 9;
constexpr std::uint8_t heap_manager = 10;
constexpr std::uint8_t btree_manager = 11;

// src/include/access/heapam_xlog.h, nbtxlog.h; the high bits of `info`.
constexpr std::uint8_t heap_operation_mask = 0x70;
constexpr std::uint8_t heap_insert_operation = 0x00;
constexpr std::uint8_t heap_update_operation = 0x20;
constexpr std::uint8_t heap_hot_update_operation = 0x40;
constexpr std::uint8_t heap2_multi_insert_operation = 0x50;
constexpr std::uint8_t btree_insert_leaf_operation = 0x00;

constexpr std::uint32_t words_mask_size = 2;

/// XLH_UPDATE's main data is 14 bytes, and with an old tuple 5 bytes of its header follow.
constexpr std::uint16_t old_tuple_words_at = 14 + 5;
/// An index tuple begins with the place of its row (6) and its size and flags (2).
constexpr std::uint16_t index_key_at = 8;

constexpr std::uint32_t mask_of_width(std::uint32_t width) {
    return width >= 4 ? 0xFFFFFFFF : (1U << 8 * width) - 1;
}

RecordRole role_of(const RecordTemplate& made) {
    if (made.block_number_at == 0) return RecordRole::other;
    if (made.resource_manager == heap_manager) {
        switch (made.info & heap_operation_mask) {
            case heap_insert_operation: return RecordRole::heap_insert;
            case heap_update_operation:
            case heap_hot_update_operation: return RecordRole::heap_update;
            default: return RecordRole::other;
        }
    }
    const bool is_leaf_insert =
        made.resource_manager == btree_manager && (made.info & 0xF0) == btree_insert_leaf_operation;
    return is_leaf_insert ? RecordRole::btree_insert : RecordRole::other;
}

void reset(RecordTemplate& made) {
    // The vectors keep their memory.
    made.is_opaque = false;
    made.top_xid_at = 0;
    made.block_number_at = 0;
    made.role = RecordRole::other;
    made.is_heap = false;
    made.header.clear();
    made.numbers.clear();
    made.pieces.clear();
    made.compared.clear();
    made.mask.clear();
    made.count = 0;
    made.xid_words = 0xFFFFFFFF;
    made.xid_samples = 0;
    made.sample_count = 0;
    made.sample_step = 1;
    made.successor = 0;
    made.has_own_streams = false;
    made.rows = nullptr;
    made.row_width = 0;
    made.row_numbers.clear();
    made.xid_offsets.clear();
    made.word_count = 0;
    made.word_source.fill(0xFFFF);
    made.word_misses.fill(0);
}

void add_number(RecordTemplate& made, std::uint16_t at, std::uint32_t width) {
    if (at != 0) made.numbers.push_back({.at = at, .mask = mask_of_width(width)});
}

void add_block(RecordTemplate& made, const BlockShape& block, std::uint32_t relation) {
    const bool is_first = block.id == 0;
    if (block.image_length_at != 0) {
        const bool is_whole = block.is_image_packed || (block.flags & fork_mask) != 0;
        made.pieces.push_back({.kind = is_whole ? PieceKind::other_image : PieceKind::image,
                               .has_hole = (block.image_flags & image_has_hole) != 0,
                               .is_first_block = is_first,
                               .length_at = block.image_length_at,
                               .length_mask = mask_of_width(2),
                               .hole_offset_at = block.hole_offset_at,
                               .relation = relation});
    }
    if (block.data_length_at != 0) {
        const bool is_multi = is_first && made.resource_manager == heap2_manager &&
                              (made.info & heap_operation_mask) == heap2_multi_insert_operation;
        made.pieces.push_back({.kind = is_multi ? PieceKind::multi_insert : PieceKind::block_data,
                               .is_first_block = is_first,
                               .length_at = block.data_length_at,
                               .length_mask = mask_of_width(2),
                               .relation = relation});
    }
    add_number(made, block.data_length_at, 2);
    add_number(made, block.image_length_at, 2);
    add_number(made, block.hole_offset_at, 2);
    add_number(made, block.hole_length_at, 2);
    add_number(made, block.block_number_at, 4);
}

/// Zeroes the numbers of the header, and says where they are.
void mask_numbers(RecordTemplate& made) {
    const std::size_t words = (made.header.size() + 7) / 8;
    std::vector<std::byte> mask(words * 8, std::byte{0});
    std::fill_n(mask.begin(), made.header.size(), std::byte{0xFF});
    for (const RowNumber& number : made.numbers) {
        const std::size_t at = std::size_t{number.at} - wal::record_header_size;
        const auto width = static_cast<std::size_t>(std::popcount(number.mask)) / 8;
        std::fill_n(mask.begin() + static_cast<std::ptrdiff_t>(at), width, std::byte{0});
        std::fill_n(made.header.begin() + static_cast<std::ptrdiff_t>(at), width, std::byte{0});
    }
    std::vector<std::byte> header = made.header;
    header.resize(words * 8, std::byte{0});
    for (std::size_t i = 0; i < words; ++i) {
        made.mask.push_back(load_le<std::uint64_t>(mask.data() + 8 * i));
        made.compared.push_back(load_le<std::uint64_t>(header.data() + 8 * i));
    }
}

/// Hands out the bytes of a row.
class RowLayout {
public:
    explicit RowLayout(RecordTemplate& laid) : laid_(laid) {
        laid.row_width = 0;
        laid.row_numbers.clear();
    }

    void add_number(RowNumber number) {
        number.row = laid_.row_width;
        laid_.row_width =
            static_cast<std::uint16_t>(laid_.row_width + std::popcount(number.mask) / 8);
        laid_.row_numbers.push_back(number);
    }

    std::uint16_t add_bytes(std::uint32_t size) {
        const std::uint16_t at = laid_.row_width;
        laid_.row_width = static_cast<std::uint16_t>(at + size);
        return at;
    }

private:
    RecordTemplate& laid_;
};

const Piece* piece_of_length_at(const RecordTemplate& laid, std::uint16_t at) {
    const auto found = std::find_if(laid.pieces.begin(), laid.pieces.end(),
                                    [&](const Piece& piece) { return piece.length_at == at; });
    return found == laid.pieces.end() ? nullptr : &*found;
}

bool is_constant(const Piece& piece) {
    return piece.length_min == piece.length_max;
}

/// Whether a number of the header is in the row: lengths that never vary are not.
bool is_in_row(const RecordTemplate& laid, const RowNumber& number) {
    const Piece* const piece = piece_of_length_at(laid, number.at);
    return piece == nullptr || !is_constant(*piece);
}

void choose_words(RecordTemplate& laid) {
    laid.word_count = 0;
    const Piece* predicted = nullptr;
    if (laid.role == RecordRole::btree_insert && !laid.pieces.empty() &&
        laid.pieces.front().kind == PieceKind::block_data) {
        predicted = &laid.pieces.front();
        laid.first_word = index_key_at;
    } else if (laid.role == RecordRole::heap_update) {
        predicted = laid.main_data();
        laid.first_word = old_tuple_words_at;
    }
    if (predicted == nullptr || predicted->always_in_row() < laid.first_word + 4U) return;
    laid.word_count = static_cast<std::uint16_t>(std::min<std::size_t>(
        predicted_words_max, (predicted->always_in_row() - laid.first_word) / 4U));
}

}  // namespace

void make_template(const std::byte* record, const HeaderShape& shape,
                   const std::array<std::uint32_t, blocks_max>& relations, RecordTemplate& made) {
    reset(made);
    made.info = static_cast<std::uint8_t>(record[wal::record_info_offset]);
    made.resource_manager = static_cast<std::uint8_t>(record[wal::record_manager_offset]);
    made.header_size = shape.size;
    made.header.assign(record + wal::record_header_size, record + shape.size);
    made.is_heap = made.resource_manager == heap_manager && shape.block_count > 0;
    if (shape.block_count > 0 && shape.blocks[0].id == 0)
        made.block_number_at = shape.blocks[0].block_number_at;
    for (std::size_t i = 0; i < shape.block_count; ++i)
        add_block(made, shape.blocks[i], relations[i]);
    if (shape.main_length_width != 0) {
        made.pieces.push_back({.kind = PieceKind::main_data,
                               .length_at = shape.main_length_at,
                               .length_mask = mask_of_width(shape.main_length_width),
                               .relation = shape.block_count > 0 ? relations[0] : 0});
        add_number(made, shape.main_length_at, shape.main_length_width);
    }
    made.top_xid_at = shape.top_xid_at;
    if (shape.top_xid_at != 0)
        made.numbers.push_back({.at = shape.top_xid_at, .mask = mask_of_width(4), .is_xid = true});
    made.role = role_of(made);
    mask_numbers(made);
}

void make_opaque_template(std::uint8_t info, std::uint8_t resource_manager, RecordTemplate& made) {
    reset(made);
    made.info = info;
    made.resource_manager = resource_manager;
    made.is_opaque = true;
    made.header_size = wal::record_header_size;
    // The total length stands for that of the only piece.
    made.pieces.push_back(
        {.kind = PieceKind::opaque, .length_at = 0, .length_mask = mask_of_width(4)});
}

bool may_have_prefix(const RecordTemplate& known, const Piece& piece) {
    return known.count >= own_records_min &&
           (piece.kind == PieceKind::block_data || piece.kind == PieceKind::main_data);
}

std::uint32_t prefix_room(const RecordTemplate& known) {
    std::uint32_t numbers = 0;
    for (const RowNumber& number : known.numbers)
        if (is_in_row(known, number))
            numbers += static_cast<std::uint32_t>(std::popcount(number.mask)) / 8;
    return row_width_max - words_mask_size - numbers;
}

void lay_out(RecordTemplate& laid) {
    laid.has_own_streams = laid.count >= own_records_min;
    RowLayout row(laid);
    if (laid.is_opaque) {
        row.add_number({.at = 0, .mask = mask_of_width(4)});
        return;
    }
    for (const RowNumber& number : laid.numbers)
        if (is_in_row(laid, number)) row.add_number(number);
    for (Piece& piece : laid.pieces) piece.is_padded = piece.prefix > piece.length_min;
    choose_words(laid);
    // In front of the prefixes: a row is written in ascending order, loosely.
    if (laid.word_count > 0) laid.words_at = row.add_bytes(words_mask_size);
    for (Piece& piece : laid.pieces) piece.prefix_at = row.add_bytes(piece.prefix);
}

void fill_in_constants(RecordTemplate& laid) {
    laid.joined_header = laid.header;
    laid.joined_header.resize(laid.header.size() + Stream::slack, std::byte{0});
    for (const Piece& piece : laid.pieces) {
        if (piece.kind == PieceKind::opaque || !is_constant(piece)) continue;
        std::byte* const at = laid.joined_header.data() + piece.length_at - wal::record_header_size;
        const int width = std::popcount(piece.length_mask) / 8;
        for (int i = 0; i < width; ++i)
            at[i] = static_cast<std::byte>(piece.length_min >> 8 * i & 0xFF);
    }
}

void choose_xid_offsets(RecordTemplate& laid) {
    laid.xid_offsets.clear();
    const Piece* const main = laid.main_data();
    if (main == nullptr || laid.xid_samples == 0) return;
    // A word is predicted once only.
    const bool has_words = laid.role == RecordRole::heap_update && laid.word_count > 0;
    const std::uint32_t end = has_words
                                  ? std::min<std::uint32_t>(laid.first_word, main->always_in_row())
                                  : main->always_in_row();
    for (std::uint16_t at = 0; at < 32 && at + 4U <= end; ++at) {
        if ((laid.xid_words >> at & 1) == 0) continue;
        laid.xid_offsets.push_back(at);
        at = static_cast<std::uint16_t>(at + 3);
    }
}

}  // namespace walden::codec::wal_codec
