// Where the recovery of a running server is to stop, and how much of the archive lies before it.
#pragma once

#include "catalog/target_finder.h"
#include "pg/recovery_progress.h"
#include "tools/config/config.h"
#include "wal/file_name.h"

#include <cstdint>
#include <optional>
#include <string>

namespace walden::commands {

struct TargetReport {
    /// There is a recovery to be told of: the configured server runs and recovers, or a server was
    /// named.
    bool is_wanted = false;
    std::string note;  ///< why some of what follows is not known; "" if all is
    std::optional<pg::RecoveryProgress> progress;  ///< of a server in recovery
    std::optional<catalog::TargetPlace> place;     ///< what the archive tells
    wal::SegmentSize segment_size;
    bool is_reached = false;

    /// Segments to be begun until the target is met; nullopt if that is not known.
    [[nodiscard]] std::optional<std::uint64_t> remaining_count() const;

    /// The same to the archive's end.
    [[nodiscard]] std::optional<std::uint64_t> count_to_end() const;

private:
    [[nodiscard]] std::optional<std::uint64_t> count_to(
        const std::optional<wal::SegmentName>& segment) const;
};

/// Asks the server, by `conninfo` or, if that is empty, where postmaster.pid of the configured data
/// directory says it is, and then the archive. Never throws an Error: what went wrong is in the
/// note. Waits some 5 s for the server and 10 s for the store at most.
[[nodiscard]] TargetReport find_target(const cli::Config& config, const std::string& conninfo);

}  // namespace walden::commands
