#include "codec/wal/container/column_model.h"

#include "codec/wal/container/columns.h"
#include "codec/wal/container/zigzag.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>

namespace walden::codec::wal_codec {

namespace {

/// Rows of a run that are compared with the one before.
constexpr std::size_t run_length = 64;
constexpr std::size_t pairs_max = 2 * run_length;

/// What a plane costs besides its content, by the experience of many tables.
constexpr std::uint32_t plane_cost = 2 * cost_per_bit;

/// A byte of less than 0.35 bits a row is not worth looking at: as a delta it would not be cheaper.
constexpr std::uint32_t cheap_byte_cost = cost_per_bit * 35 / 100;

struct Deltas {
    std::array<std::uint64_t, pairs_max> values;
    std::size_t count = 0;
    std::uint32_t bits = 0;  ///< of all values together, without their leading zeros
};

template <class T>
void collect_deltas(const std::byte* rows, std::size_t row_count, std::size_t row_width,
                    Deltas& deltas) {
    T before = load_le<T>(rows);
    for (std::size_t i = 1; i < row_count; ++i) {
        const T value = load_le<T>(rows + i * row_width);
        const std::uint64_t delta = zigzag_difference(value, before);
        before = value;
        deltas.values.data()[deltas.count++] = delta;
        deltas.bits += static_cast<std::uint32_t>(std::bit_width(delta | 1));
    }
}

void collect_deltas_of(std::size_t width, const std::byte* rows, std::size_t row_count,
                       std::size_t row_width, Deltas& deltas) {
    switch (width) {
        case 1: return collect_deltas<std::uint8_t>(rows, row_count, row_width, deltas);
        case 2: return collect_deltas<std::uint16_t>(rows, row_count, row_width, deltas);
        case 4: return collect_deltas<std::uint32_t>(rows, row_count, row_width, deltas);
        default: return collect_deltas<std::uint64_t>(rows, row_count, row_width, deltas);
    }
}

}  // namespace

std::size_t ColumnModel::plane_count() const {
    std::size_t count = 0;
    for (const Field& field : fields) count += field.width;
    return count;
}

void ModelChooser::take_sample(ByteView rows, std::size_t row_width) {
    const std::size_t row_count = rows.size() / row_width;
    runs_.clear();
    if (row_count <= 3 * run_length) {
        runs_.push_back(std::min(row_count, pairs_max + 1));
        sample_.resize(runs_[0] * row_width);
        std::memcpy(sample_.data(), rows.data(), sample_.size());
        return;
    }
    runs_.assign(2, run_length + 1);
    const std::size_t run_size = runs_[0] * row_width;
    sample_.resize(2 * run_size);
    std::memcpy(sample_.data(), rows.data() + row_count / 4 * row_width, run_size);
    const std::size_t second = std::min(row_count / 4 * 3, row_count - runs_[1]);
    std::memcpy(sample_.data() + run_size, rows.data() + second * row_width, run_size);
}

void ModelChooser::cost_raw(std::size_t row_width) {
    std::array<std::uint8_t, pairs_max> values;
    for (std::size_t j = 0; j < row_width; ++j) {
        if (changes_[j] == 0) continue;
        std::size_t count = 0;
        const std::byte* row = sample_.data() + j;
        for (const std::size_t run : runs_) {
            row += row_width;
            for (std::size_t i = 1; i < run; ++i, row += row_width)
                values.data()[count++] = static_cast<std::uint8_t>(*row);
        }
        raw_costs_[j] = entropy_.cost(values.data(), count) + plane_cost;
    }
}

std::uint32_t ModelChooser::delta_cost(std::size_t offset, std::size_t row_width, std::size_t width,
                                       std::uint32_t limit) {
    Deltas deltas;
    const std::byte* row = sample_.data() + offset;
    for (const std::size_t run : runs_) {
        collect_deltas_of(width, row, run, row_width, deltas);
        row += run * row_width;
    }
    // The magnitudes alone say no, in most cases.
    const auto slack = static_cast<std::uint32_t>(2 * deltas.count);
    if (width > 1 && deltas.bits * 85 / 100 > limit / cost_per_bit + slack) return UINT32_MAX;
    std::array<std::uint8_t, pairs_max> values;
    std::uint32_t cost = 0;
    for (std::size_t b = 0; b < width; ++b) {
        for (std::size_t i = 0; i < deltas.count; ++i)
            values.data()[i] = static_cast<std::uint8_t>(deltas.values.data()[i] >> 8 * b);
        cost += entropy_.cost(values.data(), deltas.count) + plane_cost;
        if (cost > limit) return UINT32_MAX;
    }
    return cost;
}

void ModelChooser::try_deltas(std::size_t offset, std::size_t row_width) {
    Step& step = steps_[offset];
    std::uint32_t raw = 0;
    for (std::size_t width = 1; width <= 8; width *= 2) {
        if (offset + width > row_width) return;
        for (std::size_t b = width == 1 ? 0 : width / 2; b < width; ++b)
            raw += raw_costs_[offset + b];
        const std::uint32_t cost = delta_cost(offset, row_width, width, raw);
        if (cost == UINT32_MAX) continue;
        const std::uint32_t total = cost + steps_[offset + width].cost;
        // Between equals, raw bytes are cheaper to bring back than a delta, and a wide delta has no
        // carries, which a sample that is too short for them to occur does not show.
        const bool is_better = step.field.coding == FieldCoding::raw
                                   ? total + cost_per_bit < step.cost - step.cost / 50
                                   : total <= step.cost;
        if (!is_better) continue;
        step = {total,
                {static_cast<std::uint16_t>(offset), static_cast<std::uint8_t>(width),
                 FieldCoding::delta}};
    }
}

void ModelChooser::choose(ByteView rows, std::size_t row_width, ColumnModel& model) {
    assert(row_width >= 1 && row_width <= row_width_max && rows.size() >= row_width);
    changes_.resize(row_width);
    find_changes(rows, changes_);
    take_sample(rows, row_width);
    raw_costs_.assign(row_width, 0);
    cost_raw(row_width);
    steps_.assign(row_width + 1, Step{});
    const auto pair_count = static_cast<std::uint32_t>(sample_.size() / row_width - runs_.size());
    for (std::size_t j = row_width; j-- > 0;) {
        steps_[j].cost = steps_[j + 1].cost + raw_costs_[j];
        steps_[j].field = {static_cast<std::uint16_t>(j), 0, FieldCoding::raw};
        if (changes_[j] == 0) continue;  // the low byte of a number that changes does, too
        steps_[j].field.width = 1;
        if (raw_costs_[j] >= cheap_byte_cost * pair_count) try_deltas(j, row_width);
    }
    model.fields.clear();
    for (std::size_t j = 0; j < row_width;) {
        const Field& field = steps_[j].field;
        if (field.width > 0) model.fields.push_back(field);
        j += std::max<std::size_t>(field.width, 1);
    }
}

}  // namespace walden::codec::wal_codec
