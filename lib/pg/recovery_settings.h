// What a restored data directory needs so that the server recovers from the archive: lines of
// postgresql.auto.conf, and a signal file.
#pragma once

#include "pg/configuration_text.h"
#include "pg/recovery_target.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace walden::pg {

enum class RecoveryGoal : std::uint8_t {
    primary,  ///< recover to the target, then be a primary
    standby,  ///< follow for as long as it is a standby
};

struct RecoverySettings {
    std::string restore_command;
    RecoveryTarget target;          ///< of kind none: all WAL there is
    std::vector<Setting> others{};  ///< archive_mode = off, say
    RecoveryGoal goal = RecoveryGoal::primary;
};

/// "recovery.signal" or "standby.signal": the empty file to make. The other one must not be there,
/// standby.signal would win.
[[nodiscard]] std::string_view signal_file_of(RecoveryGoal goal);

/// `auto_conf`, the text of a postgresql.auto.conf, with these settings at its end. What an earlier
/// restore, pg_basebackup or ALTER SYSTEM said about the recovery is taken out. All the settings of
/// the target are set, since PostgreSQL does not start with two targets and postgresql.conf may
/// hold an old one; the target itself comes last, for an empty one behind it would cancel it.
/// Throws Error(usage) for a value that PostgreSQL does not take: a name above 63 bytes, text that
/// is no LSN, transaction id or timeline.
[[nodiscard]] std::string with_recovery_settings(std::string_view auto_conf,
                                                 const RecoverySettings& settings);

}  // namespace walden::pg
