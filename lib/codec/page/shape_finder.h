// Finds the number of a shape, or gives it the next one. Only splitting.
#pragma once

#include "codec/page/unit_model.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace walden::codec::page_codec {

/// A small hash table over the shapes of a unit. `Shape` is HeapShape or IndexShape; `is_same` and
/// `make` compare and make one, given a hash of it.
template <class Shape>
class ShapeFinder {
public:
    void clear() { slots_.fill(empty); }

    /// The shape's number, or shapes_max if there are as many already.
    template <class IsSame, class Make>
    [[nodiscard]] std::size_t find(std::vector<Shape>& shapes, std::uint64_t hash,
                                   const IsSame& is_same, const Make& make) {
        std::size_t slot = (hash * 0x9E3779B97F4A7C15ULL) >> (64 - slot_count_log);
        for (;; slot = (slot + 1) % slots_.size()) {
            const std::uint8_t number = slots_.data()[slot];
            if (number == empty) break;
            if (is_same(shapes[number])) return number;
        }
        if (shapes.size() == shapes_max) return shapes_max;
        slots_.data()[slot] = static_cast<std::uint8_t>(shapes.size());
        shapes.push_back(make());
        return shapes.size() - 1;
    }

private:
    static constexpr unsigned slot_count_log = 10;
    static constexpr std::uint8_t empty = 0xFF;
    static_assert(shapes_max <= empty);

    std::array<std::uint8_t, std::size_t{1} << slot_count_log> slots_;
};

}  // namespace walden::codec::page_codec
