#include "codec/page/item_order.h"

namespace walden::codec::page_codec {

namespace {

constexpr std::uint16_t nobody = 0xFFFF;

}  // namespace

bool ItemOrder::find_ranks(std::uint32_t special) {
    if (special % item_alignment != 0) return false;
    std::uint32_t at = special;
    is_in_order = true;
    for (std::uint32_t i = 0; i < count; ++i) {
        at -= sizes.data()[i];
        if (offsets.data()[i] != at) {
            is_in_order = false;
            break;
        }
    }
    if (is_in_order) return true;
    // Who ends where.
    std::array<std::uint16_t, data_page_size / item_alignment + 1> ends;
    ends.fill(nobody);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t end = std::uint32_t{offsets.data()[i]} + sizes.data()[i];
        if (end > special || end % item_alignment != 0) return false;
        ends.data()[end / item_alignment] = static_cast<std::uint16_t>(i);
    }
    at = special;
    for (std::uint32_t rank = 0; rank < count; ++rank) {
        const std::uint16_t item = ends.data()[at / item_alignment];
        if (item == nobody) return false;
        ranks.data()[item] = static_cast<std::uint16_t>(rank);
        at = offsets.data()[item];
    }
    return true;
}

bool ItemOrder::place(std::uint32_t special) {
    std::uint32_t at = special;
    if (is_in_order) {
        for (std::uint32_t i = 0; i < count; ++i) {
            at -= sizes.data()[i];
            offsets.data()[i] = static_cast<std::uint16_t>(at);
        }
        return true;
    }
    std::array<std::uint16_t, items_max> by_rank;
    for (std::uint32_t i = 0; i < count; ++i) by_rank.data()[i] = nobody;
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t rank = ranks.data()[i];
        if (rank >= count || by_rank.data()[rank] != nobody) return false;
        by_rank.data()[rank] = static_cast<std::uint16_t>(i);
    }
    for (std::uint32_t rank = 0; rank < count; ++rank) {
        const std::uint32_t item = by_rank.data()[rank];
        at -= sizes.data()[item];
        offsets.data()[item] = static_cast<std::uint16_t>(at);
    }
    return true;
}

}  // namespace walden::codec::page_codec
