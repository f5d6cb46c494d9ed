// How far a running server's recovery is and where it is to stop, as the server itself tells.
#pragma once

#include "pg/recovery_target.h"
#include "pg/server.h"
#include "wal/file_name.h"
#include "wal/lsn.h"

#include <cstdint>
#include <optional>

namespace walden::pg {

struct RecoveryProgress {
    std::uint64_t system_identifier = 0;
    bool is_recovering = false;  ///< what follows is only set if it is
    wal::TimelineId checkpoint_timeline = 0;
    wal::Lsn replayed;                          ///< behind the last record that was replayed
    std::optional<wal::Timestamp> last_commit;  ///< that was replayed
    bool is_paused = false;
    RecoveryTarget target;
};

/// For a server from version 13 on that accepts connections, which in recovery it does with
/// hot_standby = on, once it is consistent. A recovery_target_time without a zone is read in the
/// session's, which is the server's unless role, database or PGTZ say otherwise. Throws
/// Error(unavailable), also when recovery ends between two questions.
[[nodiscard]] RecoveryProgress ask_recovery(const Server& server);

}  // namespace walden::pg
