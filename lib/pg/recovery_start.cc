#include "pg/recovery_start.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"

#include <charconv>

namespace walden::pg {

namespace {

constexpr std::size_t label_size_max = 64 << 10;

/// What follows `key` on the line that begins with it, up to a space or the line's end.
std::optional<std::string_view> value_of(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (line.starts_with(key)) {
            const std::string_view value = line.substr(key.size());
            return value.substr(0, value.find_first_of(" \r"));
        }
    }
    return std::nullopt;
}

RecoveryMode mode_of(const std::string& pgdata) {
    // standby.signal takes precedence (readRecoverySignalFile).
    if (read_file(pgdata + "/standby.signal", label_size_max)) return RecoveryMode::standby;
    if (read_file(pgdata + "/recovery.signal", label_size_max)) return RecoveryMode::archive;
    return RecoveryMode::none;
}

}  // namespace

std::optional<WalPosition> parse_backup_label(std::string_view text) {
    const auto location = value_of(text, "CHECKPOINT LOCATION: ");
    const auto timeline = value_of(text, "START TIMELINE: ");
    if (!location || !timeline) return std::nullopt;
    const auto lsn = wal::parse_lsn(*location);
    WalPosition position;
    const char* const end = timeline->data() + timeline->size();
    const auto [rest, error] = std::from_chars(timeline->data(), end, position.timeline);
    if (!lsn || error != std::errc() || rest != end || position.timeline == 0) return std::nullopt;
    position.lsn = *lsn;
    return position;
}

std::optional<RecoveryStart> read_recovery_start(const std::string& pgdata) {
    const auto control = read_control_file(pgdata);
    if (!control) return std::nullopt;
    RecoveryStart start{.mode = mode_of(pgdata),
                        .checkpoint = control->checkpoint,
                        .minimum_recovery = control->minimum_recovery};
    const std::string path = pgdata + "/backup_label";
    if (const auto label = read_file(path, label_size_max)) {
        const auto position = parse_backup_label(as_text(*label));
        if (!position) throw Error(ErrorKind::corrupt, format("\"{}\" names no checkpoint", path));
        start.checkpoint = *position;
        start.is_backup = true;
    }
    return start;
}

}  // namespace walden::pg
