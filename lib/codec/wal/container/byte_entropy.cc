#include "codec/wal/container/byte_entropy.h"

#include <cassert>
#include <cmath>

namespace walden::codec::wal_codec {

namespace {

/// n * log2(n), and what one more of n equal values adds to it.
struct CostTable {
    std::array<std::uint32_t, entropy_sample_max + 1> total{};
    std::array<std::uint32_t, entropy_sample_max> step{};

    CostTable() {
        for (std::size_t n = 2; n < total.size(); ++n)
            total[n] = static_cast<std::uint32_t>(
                std::lround(cost_per_bit * static_cast<double>(n) * std::log2(n)));
        for (std::size_t n = 0; n < step.size(); ++n) step[n] = total[n + 1] - total[n];
    }
};

const CostTable table;

}  // namespace

std::uint32_t ByteEntropy::cost(const std::uint8_t* values, std::size_t count) {
    assert(count <= entropy_sample_max);
    std::uint32_t saved = 0;
    for (std::size_t i = 0; i < count; ++i) saved += table.step.data()[counts_.data()[values[i]]++];
    for (std::size_t i = 0; i < count; ++i) counts_.data()[values[i]] = 0;
    return table.total[count] - saved;
}

}  // namespace walden::codec::wal_codec
