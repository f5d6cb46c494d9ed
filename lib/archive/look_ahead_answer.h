// What the look-ahead says: answers to pushes, and its state to people. Small: walden-push reads
// it.
#pragma once

#include "archive/archive_settings.h"

#include <cstdint>
#include <string>
#include <vector>

namespace walden::archive {

/// The file is durable in the store.
struct Archived {
    ArchiveOutcome outcome = ArchiveOutcome::stored;
    std::vector<std::string> warnings;
};

/// What lies under the name is not the file that the asker means.
struct OtherFile {
    std::string text;
};

/// What `walden status` shows. Times are Unix seconds, 0 for never; sizes bytes.
struct LookAheadStatus {
    std::uint64_t ready_count = 0;       ///< .ready files
    std::uint64_t ready_oldest_age = 0;  ///< seconds since the oldest became ready
    std::int64_t ready_growth = 0;       ///< files per hour, over the last minutes
    std::uint64_t ahead_count = 0;       ///< durable, and PostgreSQL has not asked yet
    std::uint64_t in_flight = 0;
    std::uint64_t memory_in_use = 0;  ///< reserved for contents
    std::uint64_t archived_count = 0;
    std::uint64_t present_count = 0;  ///< of them, those that were in the store already
    std::uint64_t failure_count = 0;
    std::uint64_t retry_count = 0;  ///< calls of the store that were tried again
    std::uint64_t plain_size = 0;   ///< of what was archived
    std::uint64_t stored_size = 0;
    std::uint64_t fallback_count = 0;  ///< segments that were not encoded as WAL, though asked for
    std::string last_fallback;         ///< the newest of them and the reason
    std::uint64_t recent_count = 0;    ///< files archived in the last minute
    std::uint64_t recent_plain_size = 0;
    std::uint64_t last_archived_at = 0;
    std::string last_archived;
    std::uint64_t last_failure_at = 0;
    std::string last_failure;  ///< empty if the last thing done succeeded

    friend bool operator==(const LookAheadStatus&, const LookAheadStatus&) = default;
};

}  // namespace walden::archive
