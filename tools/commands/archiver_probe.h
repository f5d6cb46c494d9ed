// Archiving from end to end: the server ends a segment and its archiver has it archived.
#pragma once

#include "pg/server.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace walden::commands {

struct ArchiverProbe {
    std::string segment;  ///< the one that was ended; empty for a server in recovery
    bool is_archived = false;
    std::chrono::milliseconds took{0};
    std::uint64_t failure_count = 0;  ///< of the archiver, meanwhile
    std::string last_failed;          ///< "NAME at TIME", if there was one
};

/// Has the server write a few bytes of WAL and end its segment, and waits until pg_stat_archiver
/// names this segment or a later file, its archiver has failed three times (PostgreSQL then pauses
/// for a minute), or `deadline` has passed. Throws Error(unavailable) if the server refuses:
/// pg_switch_wal() is for superusers and whom they allow it.
[[nodiscard]] ArchiverProbe probe_archiver(const pg::Server& server,
                                           std::chrono::milliseconds deadline);

}  // namespace walden::commands
