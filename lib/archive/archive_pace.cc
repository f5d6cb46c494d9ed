#include "archive/archive_pace.h"

namespace walden::archive {

namespace {

constexpr std::chrono::seconds sample_distance{10};
constexpr std::size_t archived_count_max = 100'000;

}  // namespace

void ArchivePace::note_archived(Time now, std::uint64_t plain_size) {
    archived_.push_back({.at = now, .plain_size = plain_size});
    if (archived_.size() > archived_count_max) archived_.pop_front();
}

void ArchivePace::note_backlog(Time now, std::uint64_t ready_count) {
    if (samples_.empty() || now - samples_.back().at >= sample_distance)
        samples_.push_back({.at = now, .ready_count = ready_count});
    while (samples_.size() > 2 && now - samples_[1].at > growth_window) samples_.pop_front();
    ready_count_ = ready_count;
}

ArchivePace::Recent ArchivePace::recent(Time now) {
    while (!archived_.empty() && now - archived_.front().at > rate_window) archived_.pop_front();
    Recent recent{.count = archived_.size()};
    for (const Archived& one : archived_) recent.plain_size += one.plain_size;
    return recent;
}

std::int64_t ArchivePace::growth_per_hour(Time now) const {
    if (samples_.empty()) return 0;
    const auto span = now - samples_.front().at;
    if (span < rate_window) return 0;
    const double hours = std::chrono::duration<double, std::ratio<3600>>(span).count();
    const double change =
        static_cast<double>(ready_count_) - static_cast<double>(samples_.front().ready_count);
    return static_cast<std::int64_t>(change / hours);
}

}  // namespace walden::archive
