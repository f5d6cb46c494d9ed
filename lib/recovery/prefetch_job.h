// What a prefetcher's threads do: one file each, or a look at the archive's lines and their ends.
#pragma once

#include "base/error.h"
#include "recovery/kept_source.h"
#include "recovery/memory_budget.h"
#include "recovery/nameless_file.h"
#include "wal/file_name.h"
#include "wal/timeline_history.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace walden::recovery {

enum class Purpose : std::uint8_t {
    answer,  ///< somebody waits for the file
    ahead,   ///< the server will ask for it
    survey,  ///< to know where the archive ends
    line,    ///< to guess which line of descent the server follows
};

/// What came of a job.
struct JobResult {
    enum class Outcome : std::uint8_t { ready, absent, failed };

    Outcome outcome = Outcome::absent;
    std::shared_ptr<const NamelessFile> file{};     ///< ready; but for a survey or a line
    std::optional<wal::TimelineHistory> history{};  ///< the file is this one; line: the guess
    std::optional<wal::SegmentName> newest{};       ///< what a survey found
    std::optional<Error> error{};                   ///< failed
    wal::SegmentSize segment_size{};                ///< the archive's, unless it failed
};

/// The order never changes; the result is guarded by the prefetcher's mutex.
struct PrefetchJob {
    const std::string name{};
    const Purpose purpose = Purpose::answer;
    const std::optional<wal::SegmentName> segment{};   ///< ahead: it; else where the server is
    const std::optional<wal::TimelineHistory> line{};  ///< of a survey

    std::optional<JobResult> result{};  ///< nullopt until it is done
    std::chrono::steady_clock::time_point ended_at{};

    [[nodiscard]] bool is(JobResult::Outcome outcome) const {
        return result && result->outcome == outcome;
    }
};

/// Does the job, without its result, in the calling thread; holds no lock. A file becomes nameless
/// on the file system of `directory`, and takes its share of `memory` while it is read. Throws what
/// Fetcher throws.
[[nodiscard]] JobResult perform(const PrefetchJob& job, const Source& source,
                                const std::string& directory, MemoryBudget& memory);

}  // namespace walden::recovery
