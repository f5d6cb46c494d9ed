// Which template a record has; only the splitter asks.
#pragma once

#include "codec/wal/record/header_shape.h"
#include "codec/wal/segment_model.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace walden::codec::wal_codec {

/// More templates than this in one content are stored by a plain method; real segments have tens,
/// those full of DDL some thousands.
inline constexpr std::uint32_t templates_max = 60000;

/// One thread at a time; memory is kept between contents.
class TemplateFinder {
public:
    explicit TemplateFinder(SegmentModel& model) : model_(model) { clear(); }

    void clear();

    /// The template of a record of `total` bytes, which is made if it is the first of its kind.
    /// `guess` is tried first. nullopt if there are too many. Behind the record a few bytes of
    /// slack must be readable.
    [[nodiscard]] std::optional<std::uint32_t> find(const std::byte* record, std::uint32_t total,
                                                    std::uint32_t guess) {
        if (guess < model_.template_count && matches(model_.templates.data()[guess], record, total))
            return guess;
        return find_elsewhere(record, total);
    }

private:
    static constexpr std::uint32_t none = 0xFFFFFFFF;

    std::optional<std::uint32_t> find_elsewhere(const std::byte* record, std::uint32_t total);
    std::optional<std::uint32_t> find_by_header(const std::byte* record, std::uint32_t total);
    void insert(std::uint64_t hash, std::uint32_t index);
    [[nodiscard]] bool is_same(const RecordTemplate& known, const RecordTemplate& made) const;

    SegmentModel& model_;
    HeaderShape shape_;
    RecordTemplate candidate_;
    /// Open addressing over hashes of whole headers; at most half full.
    std::vector<std::uint32_t> table_;
    std::vector<std::uint64_t> hashes_;  ///< by template
    /// By a few bytes of the header: what was found for them last.
    std::array<std::uint32_t, 1024> recent_;
};

}  // namespace walden::codec::wal_codec
