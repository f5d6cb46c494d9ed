#include "agent/recoveries.h"

#include "base/format.h"

#include <algorithm>

namespace walden::agent {

Recoveries::Found Recoveries::find(const std::string& data_directory,
                                   const FileIdentity& wal_directory) {
    const auto directory = find_data_directory(data_directory);
    if (!directory || find_directory(data_directory + "/pg_wal") != wal_directory)
        return {.objection = format("the agent does not see the server in \"{}\"", data_directory)};
    std::shared_ptr<recovery::Prefetcher> old;  // goes without the mutex: it waits for its fetches
    const std::lock_guard lock(mutex_);
    const auto served = std::ranges::find(served_, data_directory, &Served::path);
    if (served != served_.end()) {
        if (served->directory == *directory) {
            std::rotate(served_.begin(), served, served + 1);
            return {.prefetcher = served_.front().prefetcher};
        }
        old = std::move(served->prefetcher);
        served_.erase(served);
    }
    if (!make_room())
        return {.objection = format("the agent serves {} recoveries already", served_.size())};
    std::shared_ptr<recovery::Prefetcher> made = make_(data_directory);
    if (!may_prefetch_) made->stop_prefetching();
    served_.insert(served_.begin(),
                   Served{.path = data_directory, .directory = *directory, .prefetcher = made});
    return {.prefetcher = std::move(made)};
}

/// With the mutex held: gives up a recovery that is over, if there are too many.
bool Recoveries::make_room() {
    if (served_.size() < count_max) return true;
    return std::erase_if(served_, [](const Served& served) {
               return served.prefetcher->is_idle() && served.prefetcher->status().depth == 0;
           }) > 0;
}

bool Recoveries::is_idle() {
    const std::lock_guard lock(mutex_);
    return std::ranges::all_of(served_,
                               [](const Served& served) { return served.prefetcher->is_idle(); });
}

void Recoveries::stop_prefetching() {
    const std::lock_guard lock(mutex_);
    may_prefetch_ = false;
    for (const Served& served : served_) served.prefetcher->stop_prefetching();
}

std::vector<RecoveryStatus> Recoveries::status() {
    const std::lock_guard lock(mutex_);
    std::vector<RecoveryStatus> status;
    for (const Served& served : served_)
        status.push_back({.data_directory = served.path, .prefetch = served.prefetcher->status()});
    return status;
}

}  // namespace walden::agent
