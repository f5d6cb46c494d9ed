// How the rows and keys of a unit are cut: chosen from a sample of its pages, with no catalogue.
#pragma once

#include "codec/page/page_frame.h"
#include "codec/page/unit_model.h"
#include "codec/wal/container/byte_entropy.h"
#include "codec/wal/container/column_model.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace walden::codec::page_codec {

/// A piece of a page.
struct Sample {
    const std::byte* bytes = nullptr;
    std::uint32_t size = 0;
};

/// One thread at a time; memory is kept.
class ModelChoice {
public:
    /// Chooses how the heap and index pages among `pages` (whole pages, one behind the other) are
    /// taken apart. `frame` is used for reading pages. Any choice brings back every page.
    void choose(ByteView pages, PageFrame& frame, UnitModel& model);

private:
    void take_samples(ByteView pages, PageFrame& frame);
    void sample_heap(const PageFrame& frame);
    void sample_index(const PageFrame& frame);
    [[nodiscard]] HeapModel choose_heap();
    [[nodiscard]] std::uint16_t best_head();
    [[nodiscard]] IndexModel choose_index();
    [[nodiscard]] std::uint64_t cost_of_columns(std::uint32_t key_size);
    [[nodiscard]] std::uint64_t cost_of_prefixes();

    std::vector<Sample> rows_;  ///< bodies of rows
    std::vector<Sample> keys_;  ///< of neighbours in index pages
    Bytes table_;
    Bytes planes_;
    wal_codec::ColumnModel columns_;
    wal_codec::ModelChooser chooser_;
    wal_codec::ByteEntropy entropy_;
};

}  // namespace walden::codec::page_codec
