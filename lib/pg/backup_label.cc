#include "pg/backup_label.h"

#include "base/error.h"
#include "base/format.h"
#include "wal/number_text.h"

#include <utility>

namespace walden::pg {

namespace {

struct Line {
    std::string_view key;
    std::string_view value;
};

Line split(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto colon = line.find(": ");
    if (colon == std::string_view::npos) return {.key = line, .value = {}};
    return {.key = line.substr(0, colon), .value = line.substr(colon + 2)};
}

/// "0/2000028 (file 000000010000000000000002)"
bool read_start(std::string_view value, BackupLabel& label) {
    constexpr std::string_view file = " (file ";
    const auto end = value.find(file);
    if (end == std::string_view::npos || !value.ends_with(')')) return false;
    const auto redo = wal::parse_lsn(value.substr(0, end));
    if (!redo) return false;
    label.redo = *redo;
    label.segment = value.substr(end + file.size());
    label.segment.pop_back();
    return true;
}

/// False if the line is not as PostgreSQL writes it, or comes a second time.
bool read_line(const Line& line, BackupLabel& label) {
    if (line.key == "START WAL LOCATION")
        return !label.redo.is_valid() && read_start(line.value, label);
    if (line.key == "CHECKPOINT LOCATION") {
        const auto lsn = wal::parse_lsn(line.value);
        if (!lsn || label.checkpoint.is_valid()) return false;
        label.checkpoint = *lsn;
    } else if (line.key == "START TIMELINE") {
        const auto timeline = wal::parse_number(line.value, 10);
        if (!timeline || label.timeline != 0) return false;
        label.timeline = *timeline;
    } else if (line.key == "BACKUP FROM") {
        label.is_from_standby = line.value == "standby";
    } else if (line.key == "INCREMENTAL FROM LSN") {
        label.is_incremental = true;
    } else if (line.key == "START TIME") {
        label.start_time = line.value;
    } else if (line.key == "LABEL") {
        label.label = line.value;
    }
    return true;
}

}  // namespace

std::optional<BackupLabel> parse_backup_label(std::string_view text) {
    BackupLabel label;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (!read_line(split(line), label)) return std::nullopt;
    }
    if (!label.redo.is_valid() || !label.checkpoint.is_valid() || label.timeline == 0)
        return std::nullopt;
    return label;
}

void require_backup_label_name(std::string_view label) {
    for (const char byte : label)
        if (static_cast<unsigned char>(byte) < ' ' || byte == 0x7F)
            throw Error(ErrorKind::usage, "the label of a backup holds a control character");
    if (label.size() > backup_label_name_size_max)
        throw Error(ErrorKind::usage,
                    format("the label of a backup has {} bytes, at most {} are allowed",
                           label.size(), backup_label_name_size_max));
}

}  // namespace walden::pg
