// How fast files are archived, and whether the backlog grows: what a person wants to know of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

namespace walden::archive {

/// Has no clock of its own; times that are handed in never go back. One thread at a time.
class ArchivePace {
public:
    using Time = std::chrono::steady_clock::time_point;

    /// What counts as recent.
    static constexpr std::chrono::minutes rate_window{1};

    /// Over how long the growth of the backlog is measured, at most.
    static constexpr std::chrono::minutes growth_window{10};

    /// A file of that many bytes was archived.
    void note_archived(Time now, std::uint64_t plain_size);

    /// So many files are ready.
    void note_backlog(Time now, std::uint64_t ready_count);

    struct Recent {
        std::uint64_t count = 0;
        std::uint64_t plain_size = 0;  ///< bytes
    };

    /// Over the rate window. Bounded: of very many files in it only the newest count.
    [[nodiscard]] Recent recent(Time now);

    /// Files an hour; 0 while what was noted is younger than the rate window: too short to tell.
    [[nodiscard]] std::int64_t growth_per_hour(Time now) const;

    /// As noted last.
    [[nodiscard]] std::uint64_t ready_count() const { return ready_count_; }

private:
    struct Archived {
        Time at;
        std::uint64_t plain_size = 0;
    };

    struct Sample {
        Time at;
        std::uint64_t ready_count = 0;
    };

    std::deque<Archived> archived_;
    std::deque<Sample> samples_;
    std::uint64_t ready_count_ = 0;
};

}  // namespace walden::archive
