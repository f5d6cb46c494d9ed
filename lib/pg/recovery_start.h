// Where a data directory would begin to recover, without a running server.
#pragma once

#include "pg/control_file.h"

#include <optional>
#include <string>

namespace walden::pg {

enum class RecoveryMode : std::uint8_t {
    none,     ///< a server that writes, or starts after a crash: it never leaves its timeline
    archive,  ///< recovery.signal
    standby,  ///< standby.signal
};

struct RecoveryStart {
    RecoveryMode mode = RecoveryMode::none;
    WalPosition checkpoint;  ///< of backup_label if there is one, else of pg_control
    std::optional<WalPosition> minimum_recovery;
    bool is_backup = false;  ///< there is a backup_label
};

/// nullopt if there is no pg_control below `pgdata`. Throws Error(io | corrupt).
[[nodiscard]] std::optional<RecoveryStart> read_recovery_start(const std::string& pgdata);

}  // namespace walden::pg
