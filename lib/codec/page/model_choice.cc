#include "codec/page/model_choice.h"

#include "codec/page/heap_page.h"
#include "codec/page/index_page.h"
#include "codec/wal/container/columns.h"

#include <algorithm>
#include <cstring>

namespace walden::codec::page_codec {

namespace {

using wal_codec::cost_per_bit;
using wal_codec::entropy_sample_max;

constexpr std::size_t sampled_pages_max = 8;
constexpr std::size_t rows_per_page = 24;
constexpr std::size_t rows_min = 16;
constexpr std::size_t keys_per_page = 64;
constexpr std::size_t keys_min = 16;

static_assert(sampled_pages_max * rows_per_page <= entropy_sample_max);
static_assert(sampled_pages_max * keys_per_page <= entropy_sample_max);

/// So many of ten samples must have a size for it to be the usual one.
constexpr std::size_t usual_share = 7;

/// The size that most samples have; 0 if it is not common enough.
std::uint16_t find_usual_size(const std::vector<Sample>& samples) {
    std::array<std::uint16_t, usual_size_max + 1> counts{};
    for (const Sample& sample : samples)
        if (sample.size <= usual_size_max) ++counts.data()[sample.size];
    counts[0] = 0;
    const auto most = std::max_element(counts.begin(), counts.end());
    if (*most * std::size_t{10} < samples.size() * usual_share) return 0;
    return static_cast<std::uint16_t>(most - counts.begin());
}

/// What it is worth in 1/256 bit a row that a byte of this entropy lies in a column of its own:
/// numbers gain, as they have nothing to do with what lies beside them; text loses the words that
/// it repeats; random bytes cost the same everywhere, but are better not among text.
std::int64_t worth(std::int64_t entropy) {
    constexpr std::int64_t bit = cost_per_bit;
    if (entropy < bit * 5 / 2) return bit * 7 / 2 - entropy;
    return entropy < bit * 54 / 10 ? -bit * 3 / 2 : bit;
}

}  // namespace

void ModelChoice::sample_heap(const PageFrame& frame) {
    const std::uint32_t step =
        std::max<std::uint32_t>(1, frame.count / static_cast<std::uint32_t>(rows_per_page));
    std::uint32_t item = 0;
    std::size_t taken = 0;
    for (std::uint32_t i = 0; i < frame.count && taken < rows_per_page; ++i) {
        const std::uint32_t length = length_in(load_pointer(frame.page, i));
        if (length == 0) continue;
        const std::byte* const row = frame.item(item++);
        if (item % step != 0 || !is_row(row, length)) continue;
        const std::uint32_t header = header_size_of(row);
        rows_.push_back({row + header, length - header});
        ++taken;
    }
}

void ModelChoice::sample_index(const PageFrame& frame) {
    std::uint32_t item = 0;
    std::size_t taken = 0;
    for (std::uint32_t i = 0; i < frame.count && taken < keys_per_page; ++i) {
        const std::uint32_t length = length_in(load_pointer(frame.page, i));
        if (length == 0) continue;
        const std::byte* const place = frame.item(item++);
        // The first item of a page is mostly a high key.
        if (length < index_header_size || item == 1) continue;
        keys_.push_back({place + index_header_size, parts_of(place, length).key_size});
        ++taken;
    }
}

void ModelChoice::take_samples(ByteView pages, PageFrame& frame) {
    rows_.clear();
    keys_.clear();
    const std::size_t count = pages.size() / data_page_size;
    const std::size_t step = std::max<std::size_t>(1, count / sampled_pages_max);
    std::size_t heaps = 0;
    std::size_t indexes = 0;
    for (std::size_t i = step / 2; i < count; i += step) {
        frame.page = const_cast<std::byte*>(pages.data() + i * data_page_size);
        if (!read_frame(frame)) continue;
        if (frame.kind() == PageKind::heap && heaps++ < sampled_pages_max)
            sample_heap(frame);
        else if (frame.kind() == PageKind::index && indexes++ < sampled_pages_max)
            sample_index(frame);
    }
}

std::uint16_t ModelChoice::best_head() {
    // Rows that are shorter have no head: there should be few.
    std::vector<std::uint32_t> sizes;
    for (const Sample& row : rows_) sizes.push_back(row.size);
    const auto quarter = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 8);
    std::nth_element(sizes.begin(), quarter, sizes.end());
    const std::uint32_t limit = std::min<std::uint32_t>(*quarter, head_size_max);
    std::array<std::uint8_t, entropy_sample_max> column;
    std::int64_t sum = 0;
    std::int64_t best_sum = 0;
    std::uint32_t best = 0;
    for (std::uint32_t at = 0; at < limit; ++at) {
        std::size_t count = 0;
        for (const Sample& row : rows_)
            if (row.size >= limit)
                column.data()[count++] = std::to_integer<std::uint8_t>(row.bytes[at]);
        sum += worth(static_cast<std::int64_t>(entropy_.cost(column.data(), count) / count));
        if (sum < best_sum) continue;
        best_sum = sum;
        best = at + 1;
    }
    return static_cast<std::uint16_t>(best);
}

HeapModel ModelChoice::choose_heap() {
    HeapModel model;
    if (rows_.size() < rows_min) return model;
    model.usual_size = find_usual_size(rows_);
    model.head_size = best_head();
    return model;
}

std::uint64_t ModelChoice::cost_of_columns(std::uint32_t key_size) {
    table_.clear();
    for (const Sample& key : keys_)
        if (key.size == key_size) append(table_, {key.bytes, key.size});
    const std::size_t count = table_.size() / key_size;
    chooser_.choose(table_, key_size, columns_);
    planes_.resize(columns_.plane_count() * count);
    wal_codec::split_rows(table_, key_size, columns_, planes_);
    std::uint64_t cost = 0;
    for (std::size_t at = 0; at < planes_.size(); at += count)
        cost += entropy_.cost(reinterpret_cast<const std::uint8_t*>(planes_.data()) + at, count);
    return cost / count;
}

/// Of a key, in the same unit: the bytes that are left and how many those are.
std::uint64_t ModelChoice::cost_of_prefixes() {
    std::array<std::uint8_t, entropy_sample_max> shares;
    std::array<std::uint8_t, entropy_sample_max> rests;
    std::size_t rest_count = 0;
    std::uint64_t rest_total = 0;
    std::size_t count = 0;
    for (std::size_t i = 1; i < keys_.size(); ++i) {
        const std::uint32_t shared =
            count_shared(keys_[i].bytes, keys_[i].size, {keys_[i - 1].bytes, keys_[i - 1].size});
        shares.data()[count++] = static_cast<std::uint8_t>(shared);
        rest_total += keys_[i].size - shared;
        // One byte of each key, at another place each time, stands for all.
        if (keys_[i].size > shared)
            rests.data()[rest_count++] = std::to_integer<std::uint8_t>(
                keys_[i].bytes[shared + i % (keys_[i].size - shared)]);
    }
    const std::uint64_t share_cost = entropy_.cost(shares.data(), count) / count;
    if (rest_count == 0) return share_cost;
    return share_cost + entropy_.cost(rests.data(), rest_count) * rest_total / (rest_count * count);
}

IndexModel ModelChoice::choose_index() {
    IndexModel model;
    if (keys_.size() < keys_min) return model;
    const std::uint64_t prefix_cost = cost_of_prefixes();
    model.usual_size = find_usual_size(keys_);
    model.mode = KeyMode::prefix;
    if (model.usual_size > 0 && cost_of_columns(model.usual_size) > prefix_cost)
        model.usual_size = 0;
    return model;
}

void ModelChoice::choose(ByteView pages, PageFrame& frame, UnitModel& model) {
    take_samples(pages, frame);
    model.heap = choose_heap();
    model.index = choose_index();
    model.list_slots();
}

}  // namespace walden::codec::page_codec
