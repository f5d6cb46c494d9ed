// What every page has that is taken apart, whatever its items are: header, hole, special space.
#pragma once

#include "base/bytes.h"
#include "codec/page/item_order.h"
#include "codec/page/unit_model.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace walden::codec::page_codec {

/// One page while it is moved.
struct PageFrame {
    std::byte* page = nullptr;  ///< splitting, nothing is written there
    unsigned code = 0;          ///< kind and flags
    std::uint32_t lower = 0;
    std::uint32_t special = 0;
    std::uint32_t count = 0;       ///< of line pointers
    std::uint32_t block = 0;       ///< what rows take for the page's own number
    std::uint32_t stale_head = 0;  ///< bytes of the hole that are not zero, at its start ...
    std::uint32_t stale_tail = 0;  ///< ... and at its end
    ItemOrder order;
    std::array<std::uint8_t, items_max> paddings;  ///< bytes behind each item of the order

    [[nodiscard]] bool has(unsigned flag) const { return (code & flag) != 0; }

    [[nodiscard]] PageKind kind() const { return static_cast<PageKind>(code & page_kind_mask); }

    [[nodiscard]] std::byte* item(std::uint32_t n) const { return page + order.offsets.data()[n]; }

    /// One byte behind the item and its padding.
    [[nodiscard]] std::byte* item_end(std::uint32_t n) const {
        return item(n) + order.sizes.data()[n];
    }
};

/// Splitting: reads header and line pointers of frame.page. False if the page is to stay whole.
[[nodiscard]] bool read_frame(PageFrame& frame);

/// Splitting: the code, row, hole, special space and ranks of a page that read_frame() has read and
/// whose items have been moved. `block_number` decides whether the checksum is stored.
void split_frame(PageFrame& frame, std::optional<std::uint32_t> block_number, UnitStreams& streams);

/// Joining: takes the row of a page whose code is known and writes the header. False if it is not
/// what split_frame() writes.
[[nodiscard]] bool join_header(PageFrame& frame, UnitStreams& streams);

/// Joining: places the items, whose sizes are in the order, and completes the header, the line
/// pointers, the hole and the special space. False as above, and if the items do not fit.
[[nodiscard]] bool join_frame(PageFrame& frame, UnitStreams& streams);

/// Joining: the paddings, after the items have been written with zeros behind them.
[[nodiscard]] bool join_paddings(const PageFrame& frame, UnitStreams& streams);

}  // namespace walden::codec::page_codec
