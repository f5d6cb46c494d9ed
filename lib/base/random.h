// Unpredictable bytes from the kernel. A parameter wherever a test must be able to repeat a run.
#pragma once

#include "base/bytes.h"

namespace walden {

/// Fills `out` from getrandom(2). Throws Error(io) if the kernel cannot, never less than all.
void fill_random(MutableByteView out);

template <std::size_t N>
[[nodiscard]] std::array<std::byte, N> random_array() {
    std::array<std::byte, N> out{};
    fill_random(out);
    return out;
}

}  // namespace walden
