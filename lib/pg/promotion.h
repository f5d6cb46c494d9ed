// Whether a standby is just being promoted, as its data directory tells without a connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace walden::pg {

enum class PromotionSign : std::uint8_t {
    none,
    requested,  ///< the file "promote" is there: PostgreSQL has not acted on it yet
    acted_on,   ///< a file was removed from the data directory lately, as PostgreSQL does with it
};

/// "pg_ctl promote" and pg_promote() create the file "promote". The startup process looks for it
/// after restore_command has told it that there is no more WAL, or while it streams; it removes the
/// file and asks restore_command for the last segment and for the next timeline histories before
/// it opens the database (CheckForStandbyTrigger and FinishWalRecovery in xlogrecovery.c, xlog.c
/// before 15). The removal stays visible as the directory's own modification time, as no entry
/// was created or renamed at that moment. A start removes files, too ("promote", "logrotate",
/// "current_logfiles"), but before it writes postmaster.opts (PostmasterMain).
///
/// Errs towards a promotion: any other file that was removed since `since` looks the same, until
/// something is created or the server starts again. It is blind to a removal that another change
/// of the directory has covered, and to promote_trigger_file (15 and earlier) in another place.
/// Throws Error(io) if the directory cannot be read.
[[nodiscard]] PromotionSign find_promotion(const std::string& pgdata,
                                           std::chrono::system_clock::time_point since);

}  // namespace walden::pg
