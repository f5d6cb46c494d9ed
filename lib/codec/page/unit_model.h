// What both sides know of one unit: how its pages are taken apart, and the streams of all.
//
// The splitter chooses and fills it; the joiner reads it from the directory. From there on both do
// the same with it. The bytes are described in codec/page/FORMAT.md.
#pragma once

#include "base/bytes.h"
#include "codec/page/data_page.h"
#include "codec/wal/container/stream.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace walden::codec::page_codec {

using wal_codec::Stream;
using wal_codec::StreamClass;
using wal_codec::StreamSlot;

inline constexpr std::size_t unit_pages_max = 128;
inline constexpr std::size_t unit_size_max = unit_pages_max * data_page_size;

/// How a page is stored: one byte in the stream page_codes, a kind and flags.
enum class PageKind : std::uint8_t {
    whole = 0,  ///< as it is
    zero = 1,   ///< never written
    heap = 2,   ///< rows, no special space
    index = 3,  ///< index tuples: btree, and what looks like it
};

inline constexpr unsigned page_kind_mask = 0x07;

/// The stored checksum is the computed one, and not in the page's row.
inline constexpr unsigned checksum_is_computed = 0x08;

/// The items lie in another order than their line pointers; see ItemOrder.
inline constexpr unsigned has_ranks = 0x10;

/// Bytes between items are not all zero.
inline constexpr unsigned has_paddings = 0x20;

/// Of an index page: all items but the first are alike, and one code stands for them.
inline constexpr unsigned is_alike = 0x40;

/// The header of a page that is taken apart, and what else it needs once: LSN (8), checksum (2),
/// flags (2), lower (2), special (2), size and version (2), prune xid (4), block (4), stale bytes
/// at the start and the end of the hole (2 + 2).
inline constexpr std::uint32_t page_row_size = 30;

/// A row (heap) whose header has a shape that is in the directory costs one byte and what differs.
/// What of xmin and others is not stored in a column of its own:
enum ShapeFlag : std::uint8_t {
    xmin_repeats = 1,  ///< that of the row before
    xmax_is_zero = 2,
    cid_repeats = 4,
    ctid_is_self = 8,
};

/// From infomask2 to the end of the header, null bitmap and padding included.
inline constexpr std::uint32_t shape_at = 18;
inline constexpr std::uint32_t shape_size_min = 6;
inline constexpr std::uint32_t shape_size_max = 46;

struct HeapShape {
    std::uint8_t flags = 0;
    std::uint8_t size = 0;  ///< a header has shape_at bytes more: a multiple of 8
    std::array<std::byte, shape_size_max> bytes{};

    [[nodiscard]] std::uint32_t header_size() const { return shape_at + size; }
};

/// Codes of heap line pointers: one of these, or a shape's number plus first_shape_code.
enum HeapCode : std::uint8_t {
    odd_pointer = 0,  ///< no item: the line pointer is in odd_pointers
    odd_row = 1,      ///< an item that is not taken apart
    first_shape_code = 2,
};

inline constexpr std::size_t shapes_max = 254;

/// What index items have in common: line pointer without offset, and t_info.
struct IndexShape {
    std::uint32_t pointer = 0;
    std::uint16_t info = 0;

    friend bool operator==(const IndexShape&, const IndexShape&) = default;
};

/// Codes of index line pointers, as HeapCode.
enum IndexCode : std::uint8_t {
    odd_index_pointer = 0,
    odd_index_item = 1,
    first_index_code = 2,
};

/// How the bodies of a heap's rows are cut: those of the usual size lie in columns as a whole, of
/// others the first bytes do.
struct HeapModel {
    std::uint16_t usual_size = 0;  ///< 0: none is usual
    std::uint16_t head_size = 0;   ///< 0: no heads

    friend bool operator==(const HeapModel&, const HeapModel&) = default;
};

/// How the keys of index items are stored.
enum class KeyMode : std::uint8_t {
    plain = 0,   ///< one behind the other
    prefix = 1,  ///< how many bytes are those of the key before, and the others
};

struct IndexModel {
    std::uint16_t usual_size = 0;   ///< keys of this size lie in columns; 0: none is usual
    KeyMode mode = KeyMode::plain;  ///< of others

    friend bool operator==(const IndexModel&, const IndexModel&) = default;
};

inline constexpr std::uint16_t usual_size_max = 600;
inline constexpr std::uint16_t head_size_max = 160;

/// The streams of a unit, in the order in which they are stored.
struct UnitStreams {
    Stream page_codes;
    Stream page_rows;
    Stream whole_pages;
    Stream stale;           ///< bytes in holes
    Stream paddings;        ///< bytes between items
    Stream specials;        ///< special spaces of 16 bytes, ...
    Stream other_specials;  ///< ... and of others
    Stream ranks;
    Stream odd_pointers;
    Stream odd_items;

    Stream heap_codes;
    Stream lengths;  ///< of rows
    Stream xmins;
    Stream xmaxs;
    Stream cids;
    Stream ctids;  ///< less the row's own
    Stream usual_bodies;
    Stream heads;
    Stream bodies;

    Stream index_codes;
    Stream tids;          ///< block, offset
    Stream alternatives;  ///< the same bytes where they are something else: downlinks, postings
    Stream posting_tids;
    Stream usual_keys;
    Stream shared;  ///< bytes that a key shares with the one before
    Stream keys;
};

struct UnitModel {
    HeapModel heap;
    IndexModel index;
    std::vector<HeapShape> heap_shapes;
    std::vector<IndexShape> index_shapes;
    UnitStreams streams;

    /// For the next unit; memory is kept.
    void clear();

    /// Lists the streams in the order in which they are stored. The models are chosen.
    void list_slots();

    [[nodiscard]] std::span<const StreamSlot> slots() const { return slots_; }

    /// Everything but the streams.
    void write_directory(Bytes& out) const;

    /// The inverse. Throws Error(corrupt) for anything else, Error(usage) for a later version.
    void read_directory(ByteView directory);

private:
    std::vector<StreamSlot> slots_;
};

}  // namespace walden::codec::page_codec
