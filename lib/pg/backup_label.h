// backup_label: where recovery of a base backup begins (build_backup_content in xlogbackup.c, in 13
// and 14 do_pg_start_backup in xlog.c; read by read_backup_label in xlogrecovery.c).
//
//   START WAL LOCATION: 0/2000028 (file 000000010000000000000002)     the redo position
//   CHECKPOINT LOCATION: 0/2000060
//   BACKUP METHOD: streamed
//   BACKUP FROM: primary                                              or standby
//   START TIME: 2026-11-29 08:00:00 UTC
//   LABEL: nightly
//   START TIMELINE: 1
//   INCREMENTAL FROM LSN: 0/2000028                                   17+, incremental backups only
//   INCREMENTAL FROM TLI: 1
#pragma once

#include "wal/file_name.h"
#include "wal/lsn.h"

#include <optional>
#include <string>
#include <string_view>

namespace walden::pg {

struct BackupLabel {
    wal::Lsn redo;  ///< replay begins here
    wal::Lsn checkpoint;
    wal::TimelineId timeline = 0;
    std::string segment;  ///< the file that holds `redo`, as the server names it
    bool is_from_standby = false;
    bool is_incremental = false;  ///< not usable without the backups before it (17+)
    std::string start_time;       ///< in the server's log_timezone
    std::string label;
};

/// The longest label that PostgreSQL takes, in bytes (MAXPGPATH).
inline constexpr std::size_t backup_label_name_size_max = 1024;

/// Throws Error(usage) for a label above that, or with control characters: it is written into
/// backup_label as it is, where a line break would begin another line.
void require_backup_label_name(std::string_view label);

/// nullopt if the file lacks what recovery needs, or has it twice: the label is written into the
/// file as it is, so one with line breaks could pretend to be other lines.
[[nodiscard]] std::optional<BackupLabel> parse_backup_label(std::string_view text);

}  // namespace walden::pg
