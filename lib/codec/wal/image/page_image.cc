#include "codec/wal/image/page_image.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace walden::codec::wal_codec {

namespace {

/// The size of the pages in images; nothing to do with the size of WAL pages.
constexpr std::uint32_t block_size = 8192;

// PageHeaderData: LSN (8), checksum (2), flags (2), lower (2), upper (2), special (2), size and
// version (2), oldest transaction (4); then line pointers (ItemIdData) of 15 bits offset, 2 bits
// flags, 15 bits length.
constexpr std::uint32_t header_size = page_header_row_size;
constexpr std::uint32_t lower_at = 12;
constexpr std::uint32_t upper_at = 14;
constexpr std::uint32_t special_at = 16;
constexpr std::uint32_t line_pointer_size = 4;
constexpr std::uint32_t items_max = (block_size - header_size) / line_pointer_size;

/// How an image is stored; in the stream page_codes.
enum PageCode : std::uint8_t {
    whole = 0,
    covered = 1,    ///< items lie side by side from upper to special
    with_gaps = 2,  ///< words between them are in the stream page_gaps
    uniform = 3,    ///< as covered, all of the usual size, one below the other
};

struct PageShape {
    std::uint32_t lower = 0;  ///< behind the line pointers; the hole begins here
    std::uint32_t upper = 0;  ///< the hole ends here, items begin
    std::uint32_t special = 0;
    std::uint32_t hole = 0;  ///< its size: what is behind it lies that much earlier in the image
    std::uint32_t count = 0;
};

struct LinePointer {
    std::uint32_t offset = 0;
    std::uint32_t flags = 0;
    std::uint32_t length = 0;
};

LinePointer load_line_pointer(const std::byte* from) {
    const auto bits = load_le<std::uint32_t>(from);
    return {bits & 0x7FFF, bits >> 15 & 3, bits >> 17};
}

void store_line_pointer(std::byte* to, const LinePointer& pointer) {
    store_le<std::uint32_t>(to, pointer.offset | pointer.flags << 15 | pointer.length << 17);
}

constexpr std::uint32_t padded_length(std::uint32_t length) {
    return (length + 7) & ~7U;
}

/// Reads the header of a page. False unless the hole lies exactly between line pointers and items
/// and everything is aligned.
bool read_shape(const ImagePlace& image, PageShape& shape) {
    if (!image.has_hole || image.size < header_size || image.size >= block_size) return false;
    shape.hole = block_size - image.size;
    shape.lower = load_le<std::uint16_t>(image.bytes + lower_at);
    shape.upper = load_le<std::uint16_t>(image.bytes + upper_at);
    shape.special = load_le<std::uint16_t>(image.bytes + special_at);
    shape.count = (shape.lower - header_size) / line_pointer_size;
    return shape.lower > header_size && shape.lower <= image.size &&
           shape.lower == image.hole_offset && shape.upper == shape.lower + shape.hole &&
           shape.upper <= shape.special && shape.special <= block_size &&
           (shape.lower - header_size) % line_pointer_size == 0 && shape.upper % 8 == 0 &&
           shape.special % 8 == 0;
}

/// Which 8-byte words of a page belong to items.
class Coverage {
public:
    /// `offset` and `size` are multiples of 8 within the page.
    void add(std::uint32_t offset, std::uint32_t size) {
        const std::uint32_t first = offset / 8;
        const std::uint32_t words = size / 8;
        added_ += words;
        if (words < 64) {
            const std::uint64_t bits = (std::uint64_t{1} << words) - 1;
            words_[first / 64] |= bits << first % 64;
            words_[first / 64 + 1] |= bits >> 1 >> (63 - first % 64);
        } else {
            for (std::uint32_t i = first; i < first + words; ++i) set(i);
        }
    }

    /// No word belongs to two items.
    [[nodiscard]] bool is_disjoint() const {
        std::uint32_t set = 0;
        for (const std::uint64_t word : words_)
            set += static_cast<std::uint32_t>(std::popcount(word));
        return set == added_;
    }

    [[nodiscard]] std::uint32_t bytes() const { return added_ * 8; }

    [[nodiscard]] bool has(std::uint32_t offset) const {
        return (words_[offset / 8 / 64] >> (offset / 8 % 64) & 1) != 0;
    }

private:
    void set(std::uint32_t word) { words_[word / 64] |= std::uint64_t{1} << word % 64; }

    std::array<std::uint64_t, block_size / 8 / 64 + 1> words_{};
    std::uint32_t added_ = 0;
};

/// The items of a page: read from its line pointers, or from the rows that stand for them.
class PageItems {
public:
    PageItems(const ImagePlace& image, const PageShape& shape) : image_(image), shape_(shape) {}

    /// Reads the line pointers and makes their rows: length (2), distance from where the item would
    /// lie if it were just below the one before (2), or the offset if there is no item, flags (1).
    /// False if an item lies where none should.
    [[nodiscard]] bool read() {
        std::byte* row = rows_.data();
        std::uint32_t previous = shape_.special;
        for (std::uint32_t i = 0; i < shape_.count; ++i, row += line_pointer_row_size) {
            const LinePointer pointer = load_line_pointer(place_of(i));
            std::uint32_t distance = pointer.offset;
            if (pointer.length != 0) {
                if (!add(pointer)) return false;
                distance = pointer.offset - (previous - padded_length(pointer.length));
                previous = pointer.offset;
            }
            store_le<std::uint16_t>(row, static_cast<std::uint16_t>(pointer.length));
            store_le<std::uint16_t>(row + 2, static_cast<std::uint16_t>(distance & 0xFFFF));
            row[4] = static_cast<std::byte>(pointer.flags);
            are_alike_ = are_alike_ && (distance & 0xFFFF) == 0 &&
                         load_le<std::uint32_t>(place_of(i)) >> 15 == alike();
        }
        return covered_.is_disjoint();
    }

    /// The way back: line pointers from rows. The same rules.
    [[nodiscard]] bool write(const std::byte* row) {
        std::uint32_t previous = shape_.special;
        for (std::uint32_t i = 0; i < shape_.count; ++i, row += line_pointer_row_size) {
            LinePointer pointer{.offset = load_le<std::uint16_t>(row + 2),
                                .flags = static_cast<std::uint32_t>(row[4]),
                                .length = load_le<std::uint16_t>(row)};
            if (pointer.length > 0x7FFF || pointer.flags > 3) return false;
            if (pointer.length != 0) {
                pointer.offset =
                    (pointer.offset + previous - padded_length(pointer.length)) & 0xFFFF;
                if (!add(pointer)) return false;
                previous = pointer.offset;
            } else if (pointer.offset > 0x7FFF) {
                return false;
            }
            store_line_pointer(place_of(i), pointer);
        }
        return covered_.is_disjoint();
    }

    /// The same for a uniform page, whose line pointers differ in the offset only.
    [[nodiscard]] bool write_alike(std::uint32_t flags_and_length, std::uint32_t size) {
        const std::uint32_t length = flags_and_length >> 2;
        if (length > 0x7FFF || length == 0 || padded_length(length) != size ||
            shape_.upper + shape_.count * size != shape_.special)
            return false;
        for (std::uint32_t i = 0; i < shape_.count; ++i)
            store_le<std::uint32_t>(place_of(i),
                                    (shape_.special - (i + 1) * size) | flags_and_length << 15);
        return true;
    }

    [[nodiscard]] PageCode code(const ItemModel& model) const {
        const bool is_covered = covered_.bytes() == shape_.special - shape_.upper;
        if (!is_covered) return with_gaps;
        const bool is_uniform =
            are_alike_ && count_ == shape_.count && sizes_[0] == model.usual_size;
        return is_uniform ? uniform : covered;
    }

    /// Flags and length of the first line pointer.
    [[nodiscard]] std::uint32_t alike() const {
        return load_le<std::uint32_t>(image_.bytes + header_size) >> 15;
    }

    [[nodiscard]] ByteView rows() const {
        return {rows_.data(), std::size_t{shape_.count} * line_pointer_row_size};
    }

    [[nodiscard]] std::uint32_t count() const { return count_; }

    /// Where the n-th item begins in the image.
    [[nodiscard]] std::byte* item(std::uint32_t n) const { return image_.bytes + places_[n]; }

    /// A multiple of 8.
    [[nodiscard]] std::uint32_t size(std::uint32_t n) const { return sizes_[n]; }

    [[nodiscard]] const Coverage& covered_words() const { return covered_; }

private:
    [[nodiscard]] std::byte* place_of(std::uint32_t i) const {
        return image_.bytes + header_size + i * line_pointer_size;
    }

    bool add(const LinePointer& pointer) {
        const std::uint32_t size = padded_length(pointer.length);
        if (pointer.offset % 8 != 0 || pointer.offset < shape_.upper ||
            pointer.offset + size > shape_.special)
            return false;
        covered_.add(pointer.offset, size);
        places_[count_] = static_cast<std::uint16_t>(pointer.offset - shape_.hole);
        sizes_[count_] = static_cast<std::uint16_t>(size);
        ++count_;
        return true;
    }

    const ImagePlace& image_;
    const PageShape& shape_;
    Coverage covered_;
    bool are_alike_ = true;
    std::uint32_t count_ = 0;
    // Not initialised: only the first ones are ever used.
    std::array<std::uint16_t, items_max> places_;
    std::array<std::uint16_t, items_max> sizes_;
    std::array<std::byte, std::size_t{items_max} * line_pointer_row_size> rows_;
};

/// By the first page of a relation: the size that seven of ten items have is the usual one. Of
/// others the heads are rows: of index tuples what all have, of rows the tuple header and some
/// columns.
void choose_items(const PageItems& items, bool is_index, ItemModel& model) {
    constexpr std::uint32_t usual_max = 512;
    constexpr std::uint16_t index_head = 8;
    constexpr std::uint32_t heap_head_max = 24 + 48;
    model.is_chosen = true;
    std::array<std::uint16_t, usual_max / 8 + 1> counts{};
    std::uint32_t smallest = heap_head_max;
    for (std::uint32_t i = 0; i < items.count(); ++i) {
        smallest = std::min(smallest, items.size(i));
        if (items.size(i) <= usual_max) ++counts[items.size(i) / 8];
    }
    const auto most = std::max_element(counts.begin(), counts.end());
    const bool is_usual = *most > 0 && *most * 10U >= items.count() * 7U;
    model.usual_size = static_cast<std::uint16_t>(is_usual ? (most - counts.begin()) * 8 : 0);
    model.head_size = is_index ? index_head : static_cast<std::uint16_t>(smallest);
}

template <Direction direction>
bool move_item(std::byte* item, std::uint32_t size, Relation& relation) {
    const std::uint32_t head = relation.page_items.head_size;
    if (size == relation.page_items.usual_size)
        return move_words<direction>(*relation.items, item, size);
    if (size <= head) return move_words<direction>(*relation.data, item, size);
    return move_words<direction>(*relation.item_heads, item, head) &&
           move_words<direction>(*relation.data, item + head, size - head);
}

template <Direction direction>
bool move_items(const ImagePlace& image, const PageShape& shape, const PageItems& items,
                PageCode code, CommonStreams& common, Relation& relation) {
    for (std::uint32_t i = 0; i < items.count(); ++i)
        if (!move_item<direction>(items.item(i), items.size(i), relation)) return false;
    if (code != with_gaps) return true;
    for (std::uint32_t at = shape.upper; at < shape.special; at += 8)
        if (!items.covered_words().has(at) &&
            !move_words<direction>(common.page_gaps, image.bytes + (at - shape.hole), 8))
            return false;
    return true;
}

template <Direction direction>
bool move_special(const ImagePlace& image, const PageShape& shape, CommonStreams& common) {
    std::byte* const special = image.bytes + (shape.special - shape.hole);
    const std::uint32_t size = block_size - shape.special;
    if (size == 16) return move_words<direction>(common.btree_specials, special, size);
    if (size == 8) return move_words<direction>(common.small_specials, special, size);
    return move_words<direction>(common.rare_data, special, size);
}

bool split_image(const ImagePlace& image, CommonStreams& common, Relation& relation) {
    PageShape shape;
    PageItems items(image, shape);
    auto code = static_cast<std::uint8_t>(whole);
    if (relation.has_own_streams && read_shape(image, shape) && items.read()) {
        if (!relation.page_items.is_chosen)
            choose_items(items, shape.special < block_size, relation.page_items);
        code = items.code(relation.page_items);
    }
    if (!move_flag<Direction::split>(common.page_codes, code)) return false;
    if (code == whole)
        return move_exactly<Direction::split>(common.whole_images, image.bytes, image.size);
    std::memcpy(common.page_headers.extend(header_size), image.bytes, header_size);
    if (code == uniform) {
        store_le<std::uint32_t>(common.uniform_pages.extend(4), items.alike());
        std::byte* const first = image.bytes + shape.lower;
        if (!move_exactly<Direction::split>(*relation.items, first, shape.special - shape.upper))
            return false;
    } else {
        const ByteView rows = items.rows();
        std::memcpy(relation.line_pointers->extend(rows.size()), rows.data(), rows.size());
        if (!move_items<Direction::split>(image, shape, items, static_cast<PageCode>(code), common,
                                          relation))
            return false;
    }
    return move_special<Direction::split>(image, shape, common);
}

bool join_image(const ImagePlace& image, CommonStreams& common, Relation& relation) {
    std::uint8_t code = 0;
    if (!move_flag<Direction::join>(common.page_codes, code)) return false;
    if (code == whole)
        return move_exactly<Direction::join>(common.whole_images, image.bytes, image.size);
    if (code > uniform || !relation.has_own_streams || image.size < header_size) return false;
    if (!move_exactly<Direction::join>(common.page_headers, image.bytes, header_size)) return false;
    PageShape shape;
    if (!read_shape(image, shape)) return false;
    PageItems items(image, shape);
    if (code == uniform) {
        const std::byte* const alike = common.uniform_pages.take(4);
        if (alike == nullptr ||
            !items.write_alike(load_le<std::uint32_t>(alike), relation.page_items.usual_size))
            return false;
        std::byte* const first = image.bytes + shape.lower;
        if (!move_exactly<Direction::join>(*relation.items, first, shape.special - shape.upper))
            return false;
    } else {
        const std::byte* const rows =
            relation.line_pointers->take(std::size_t{shape.count} * line_pointer_row_size);
        if (rows == nullptr || !items.write(rows)) return false;
        const bool is_covered = items.covered_words().bytes() == shape.special - shape.upper;
        if (is_covered != (code == covered)) return false;
        if (!move_items<Direction::join>(image, shape, items, static_cast<PageCode>(code), common,
                                         relation))
            return false;
    }
    return move_special<Direction::join>(image, shape, common);
}

}  // namespace

template <Direction direction>
bool move_image(const ImagePlace& image, CommonStreams& common, Relation& relation) {
    if constexpr (direction == Direction::split)
        return split_image(image, common, relation);
    else
        return join_image(image, common, relation);
}

template bool move_image<Direction::split>(const ImagePlace&, CommonStreams&, Relation&);
template bool move_image<Direction::join>(const ImagePlace&, CommonStreams&, Relation&);

}  // namespace walden::codec::wal_codec
