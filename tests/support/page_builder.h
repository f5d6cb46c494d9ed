// Pages of data files as PostgreSQL writes them, for tests: heap, index, and what goes wrong in
// them.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <vector>

namespace walden::test {

/// The header of a heap row; the size of the header follows from the null bitmap.
struct SampleRow {
    std::uint32_t xmin = 700;
    std::uint32_t xmax = 0;
    std::uint32_t cid = 0;
    std::uint32_t block = 0;      ///< ctid
    std::uint16_t offset = 0;     ///< ctid
    std::uint16_t infomask2 = 3;  ///< three attributes
    std::uint16_t infomask = 0x0902;
    Bytes null_bitmap = {};
    Bytes body = {};
};

[[nodiscard]] Bytes make_row(const SampleRow& row);

/// An index tuple of `8 + key.size()` bytes, padded to a multiple of 8; `flags` are those of its
/// info.
[[nodiscard]] Bytes make_index_item(std::uint32_t block, std::uint16_t offset, std::uint16_t flags,
                                    ByteView key);

/// A btree posting list: the key, padded, then the tuple ids of rows 1 to `count` of `block`.
[[nodiscard]] Bytes make_posting_item(std::uint32_t block, std::uint16_t count, ByteView key);

/// One page of 8 KiB. Items are added from the special space down, as PostgreSQL does.
class PageBuilder {
public:
    static constexpr std::size_t page_size = 8192;

    /// An initialised page with no items.
    explicit PageBuilder(std::size_t special_size = 0);

    PageBuilder& lsn(std::uint64_t value);

    /// The next line pointer and its item. State 1 is LP_NORMAL, 3 LP_DEAD. `length` may be less
    /// than the item's size, which is padded. Returns the number of the line pointer, from 1.
    std::uint16_t add(ByteView item, std::uint32_t state = 1);

    /// The next line pointer, with no item: unused (0), a redirect (2) to `offset`, or dead (3).
    std::uint16_t add_pointer(std::uint32_t state, std::uint32_t offset = 0);

    /// Swaps the places of two line pointers, numbered from 1: the items stay where they are.
    PageBuilder& swap(std::uint16_t a, std::uint16_t b);

    /// The special space.
    [[nodiscard]] MutableByteView special();

    /// Everything, to be changed at will.
    [[nodiscard]] MutableByteView bytes() { return page_; }

    [[nodiscard]] std::uint16_t lower() const;

    [[nodiscard]] std::uint16_t upper() const;

    /// With the checksum of this block.
    [[nodiscard]] Bytes finish(std::uint32_t block);

private:
    void set(std::size_t at, std::uint16_t value);

    Bytes page_;
};

/// What kinds of pages there are; see make_sample_pages().
enum class SamplePages {
    orders,      ///< heap: rows with a number, a uuid and text
    fixed_rows,  ///< heap: rows of one size, updated here and there
    numbers,     ///< btree leaves of one bigint, as CREATE INDEX makes them, stale pointer included
    words,       ///< btree leaves of text, inserted in no order
    postings,    ///< btree leaves with posting lists
};

/// `count` pages, which go by `seed` alone, with the checksums of blocks from `first_block` on.
[[nodiscard]] Bytes make_sample_pages(SamplePages kind, std::size_t count, std::uint32_t seed,
                                      std::uint32_t first_block);

/// first_block, first_block + 1, ...
[[nodiscard]] std::vector<std::uint32_t> blocks_from(std::uint32_t first_block, std::size_t count);

}  // namespace walden::test
