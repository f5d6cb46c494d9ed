// Whether a server is there and recovers, as its data directory tells.
#pragma once

#include <string>

namespace walden::pg {

/// Whether the process that postmaster.pid names lives. A file that a crash left behind may name
/// another program's process by now: for decisions that may be wrong.
[[nodiscard]] bool is_running(const std::string& pgdata);

/// Whether recovery from the archive was asked for and has not ended: recovery.signal or
/// standby.signal is there (PostgreSQL 12 and later remove it at the end).
[[nodiscard]] bool is_in_archive_recovery(const std::string& pgdata);

}  // namespace walden::pg
