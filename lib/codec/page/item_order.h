// The items of a page in two orders: of their line pointers, and as they lie in the page.
//
// Items lie side by side from the upper end of the hole to the special space. What is stored is
// therefore not where each one lies but which one it is, counted from the special space down: its
// rank. In a page that was filled in the order of its line pointers the ranks count on, and are not
// stored at all.
#pragma once

#include "base/bytes.h"
#include "codec/page/data_page.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace walden::codec::page_codec {

/// Items that have storage, in the order of their line pointers. Only the first `count` entries of
/// each list mean anything.
struct ItemOrder {
    std::uint32_t count = 0;
    std::uint32_t bytes = 0;  ///< of all items together, each padded
    bool is_in_order = true;
    std::array<std::uint16_t, items_max> offsets;
    std::array<std::uint16_t, items_max> sizes;  ///< padded
    std::array<std::uint16_t, items_max> ranks;

    void clear() {
        count = 0;
        bytes = 0;
        is_in_order = true;
    }

    /// One more item, of which the offset is known only while splitting. False if it would not fit
    /// into a page together with the others.
    [[nodiscard]] bool add(std::uint32_t offset, std::uint32_t length) {
        const std::uint32_t size = padded_size(length);
        if (bytes + size > data_page_size) return false;
        offsets.data()[count] = static_cast<std::uint16_t>(offset);
        sizes.data()[count] = static_cast<std::uint16_t>(size);
        bytes += size;
        ++count;
        return true;
    }

    /// Finds the ranks by the offsets. False unless the items lie side by side and end at
    /// `special`, each aligned.
    [[nodiscard]] bool find_ranks(std::uint32_t special);

    /// Finds the offsets below `special`, by the ranks unless the items are in order. False if the
    /// ranks are not those of that many items. The items must fit.
    [[nodiscard]] bool place(std::uint32_t special);
};

}  // namespace walden::codec::page_codec
