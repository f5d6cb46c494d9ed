#include "recovery/replay_pace.h"

#include <algorithm>

namespace walden::recovery {

namespace {

constexpr std::chrono::seconds longest_replay{10};
constexpr std::size_t smallest_reserve = 2;
constexpr std::size_t largest_reserve = 256;
constexpr std::uint64_t hits_until_less = 32;

/// Before anything was measured.
constexpr std::size_t first_depth = 4;

/// The last five or so decide.
ReplayPace::Duration average(ReplayPace::Duration old, ReplayPace::Duration now) {
    return old.count() == 0 ? now : old + (now - old) / 5;
}

}  // namespace

void ReplayPace::note_replay(Duration duration) {
    replay_ = average(replay_, std::clamp<Duration>(duration, Duration(1), longest_replay));
}

void ReplayPace::note_fetch(Duration duration) {
    fetch_ = average(fetch_, std::max(duration, Duration(1)));
}

void ReplayPace::note_hit() {
    if (++hits_in_a_row_ % hits_until_less == 0)
        reserve_ = std::max(smallest_reserve, reserve_ - reserve_ / 4);
}

void ReplayPace::note_miss() {
    hits_in_a_row_ = 0;
    reserve_ = std::min(largest_reserve, reserve_ * 2);
}

std::size_t ReplayPace::depth(std::size_t most) const {
    if (most == 0) return 0;
    if (replay_.count() == 0 || fetch_.count() == 0) return std::min(first_depth, most);
    const auto in_one_fetch = static_cast<std::size_t>(fetch_ / replay_) + 1;
    return std::min(most, std::min(in_one_fetch, most) + reserve_);
}

}  // namespace walden::recovery
