// How far to work ahead of a replay: as far as its pace and the store's delay ask for.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace walden::recovery {

/// Measures both sides and says how many segments should be on their way or ready. One thread at a
/// time.
class ReplayPace {
public:
    using Duration = std::chrono::nanoseconds;

    /// From the answer to one segment to the question for the next: what PostgreSQL needs for it.
    /// Long pauses count as ten seconds: a paused recovery goes on at its old pace.
    void note_replay(Duration duration);

    /// From the beginning of a segment's fetch to its proven end.
    void note_fetch(Duration duration);

    /// A segment was there when it was asked for.
    void note_hit();

    /// A segment was asked for that should have been there: not deep enough.
    void note_miss();

    /// Segments to have ahead: as many as are replayed while one is fetched, some in reserve, and
    /// more after each miss, until none is missed for a while. At most `most`, at least 1 of it.
    [[nodiscard]] std::size_t depth(std::size_t most) const;

    /// Averages over the last segments, 0 before the first.
    [[nodiscard]] Duration replay() const { return replay_; }

    [[nodiscard]] Duration fetch() const { return fetch_; }

private:
    Duration replay_{0};
    Duration fetch_{0};
    std::size_t reserve_ = 2;
    std::uint64_t hits_in_a_row_ = 0;
};

}  // namespace walden::recovery
