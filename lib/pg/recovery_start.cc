#include "pg/recovery_start.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "pg/backup_label.h"

namespace walden::pg {

namespace {

constexpr std::size_t label_size_max = 64 << 10;

RecoveryMode mode_of(const std::string& pgdata) {
    // standby.signal takes precedence (readRecoverySignalFile).
    if (read_file(pgdata + "/standby.signal", label_size_max)) return RecoveryMode::standby;
    if (read_file(pgdata + "/recovery.signal", label_size_max)) return RecoveryMode::archive;
    return RecoveryMode::none;
}

}  // namespace

std::optional<RecoveryStart> read_recovery_start(const std::string& pgdata) {
    const auto control = read_control_file(pgdata);
    if (!control) return std::nullopt;
    RecoveryStart start{.mode = mode_of(pgdata),
                        .checkpoint = control->checkpoint,
                        .minimum_recovery = control->minimum_recovery};
    const std::string path = pgdata + "/backup_label";
    if (const auto label = read_file(path, label_size_max)) {
        const auto parsed = parse_backup_label(as_text(*label));
        if (!parsed) throw Error(ErrorKind::corrupt, format("\"{}\" names no checkpoint", path));
        start.checkpoint = {.lsn = parsed->checkpoint, .timeline = parsed->timeline};
        start.is_backup = true;
    }
    return start;
}

}  // namespace walden::pg
