#include "pg/recovery_settings.h"

#include "base/error.h"
#include "base/format.h"
#include "wal/lsn.h"
#include "wal/number_text.h"

#include <algorithm>
#include <array>
#include <optional>

namespace walden::pg {

namespace {

constexpr std::string_view begin_mark = "# written by walden restore: begin";
constexpr std::string_view end_mark = "# written by walden restore: end";

/// MAXFNAMELEN - 1.
constexpr std::size_t restore_point_name_size_max = 63;

constexpr std::array target_kinds{TargetKind::immediate, TargetKind::lsn, TargetKind::name,
                                  TargetKind::time, TargetKind::xid};

/// They decide how a recovery goes, and each is written anew.
constexpr std::array recovery_names{
    std::string_view("restore_command"),           std::string_view("recovery_target"),
    std::string_view("recovery_target_lsn"),       std::string_view("recovery_target_name"),
    std::string_view("recovery_target_time"),      std::string_view("recovery_target_xid"),
    std::string_view("recovery_target_inclusive"), std::string_view("recovery_target_action"),
    std::string_view("recovery_target_timeline")};

std::string setting_of(TargetKind kind) {
    if (kind == TargetKind::immediate) return "recovery_target";
    return format("recovery_target_{}", to_string(kind));
}

void require_target(const RecoveryTarget& target) {
    const auto refuse = [&](std::string_view why) {
        throw Error(ErrorKind::usage, format("recovery target {} \"{}\" {}", to_string(target.kind),
                                             target.text, why));
    };
    if (target.kind == TargetKind::name && target.text.size() > restore_point_name_size_max)
        refuse(format("has more than {} bytes", restore_point_name_size_max));
    if (target.kind == TargetKind::lsn && !wal::parse_lsn(target.text)) refuse("is no LSN");
    if (target.kind == TargetKind::xid && !parse_target_number(target.text))
        refuse("is no transaction id");
    if (target.kind != TargetKind::none && target.kind != TargetKind::immediate &&
        target.text.empty())
        refuse("is empty, which would be no target");
    const std::string& line = target.timeline;
    // Hex and octal are numbers to PostgreSQL as well, and another timeline than one meant.
    if (!line.empty() && line != "latest" && line != "current" &&
        wal::parse_number(line, 10).value_or(0) == 0)
        throw Error(ErrorKind::usage, format("\"{}\" is no timeline in decimal", line));
}

bool is_replaced(const std::string& name, const RecoverySettings& settings) {
    if (std::find(recovery_names.begin(), recovery_names.end(), name) != recovery_names.end())
        return true;
    return std::any_of(settings.others.begin(), settings.others.end(),
                       [&](const Setting& other) { return other.name == name; });
}

/// The lines that stay.
std::string without_old_settings(std::string_view text, const RecoverySettings& settings) {
    std::string kept;
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        if (line == begin_mark || line == end_mark) continue;
        const auto setting = parse_setting(line);
        if (setting && is_replaced(setting->name, settings)) continue;
        kept.append(line).append("\n");
    }
    return kept;
}

}  // namespace

std::string_view signal_file_of(RecoveryGoal goal) {
    return goal == RecoveryGoal::standby ? "standby.signal" : "recovery.signal";
}

std::string with_recovery_settings(std::string_view auto_conf, const RecoverySettings& settings) {
    const RecoveryTarget& target = settings.target;
    require_target(target);
    std::string text = without_old_settings(auto_conf, settings);
    text.append(begin_mark).append("\n");
    for (const Setting& other : settings.others) text += to_line(other);
    text += to_line({.name = "restore_command", .value = settings.restore_command});
    text += to_line({.name = "recovery_target_timeline",
                     .value = target.timeline.empty() ? "latest" : target.timeline});
    text +=
        to_line({.name = "recovery_target_inclusive", .value = target.is_inclusive ? "on" : "off"});
    text += to_line({.name = "recovery_target_action",
                     .value = target.action.empty() ? "pause" : target.action});
    for (const TargetKind kind : target_kinds)
        if (kind != target.kind) text += to_line({.name = setting_of(kind), .value = ""});
    if (target.kind != TargetKind::none)
        text +=
            to_line({.name = setting_of(target.kind),
                     .value = target.kind == TargetKind::immediate ? "immediate" : target.text});
    return text.append(end_mark).append("\n");
}

}  // namespace walden::pg
