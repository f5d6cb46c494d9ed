#include "pg/recovery_progress.h"

#include "base/error.h"
#include "base/format.h"

#include <charconv>
#include <string>

namespace walden::pg {

namespace {

/// Between 1970 and 2000, the epochs of Unix and of PostgreSQL.
constexpr std::int64_t epoch_distance_us = 946'684'800'000'000;

template <class Number>
std::optional<Number> ask_number(const Server& server, const std::string& sql) {
    const auto text = server.query(sql);
    if (!text) return std::nullopt;
    Number value{};
    const char* const end = text->data() + text->size();
    const auto [rest, error] = std::from_chars(text->data(), end, value);
    if (error != std::errc() || rest != end)
        throw Error(ErrorKind::unavailable,
                    format("the server answers \"{}\" with \"{}\"", sql, *text));
    return value;
}

/// `expression` is a timestamptz.
std::optional<wal::Timestamp> ask_time(const Server& server, const std::string& expression) {
    const auto unix_us = ask_number<std::int64_t>(
        server, format("SELECT (extract(epoch FROM {}) * 1000000)::bigint", expression));
    if (!unix_us) return std::nullopt;
    return *unix_us - epoch_distance_us;
}

/// Sets what the text means. Throws if PostgreSQL has taken what is not understood here.
void interpret(const Server& server, RecoveryTarget& target) {
    bool is_understood = true;
    if (target.kind == TargetKind::lsn) {
        const auto lsn = wal::parse_lsn(target.text);
        is_understood = lsn.has_value();
        if (lsn) target.lsn = *lsn;
    } else if (target.kind == TargetKind::xid) {
        const auto xid = parse_target_number(target.text);
        is_understood = xid.has_value();
        if (xid) target.xid = *xid;
    } else if (target.kind == TargetKind::time) {
        const auto time = ask_time(server, "current_setting('recovery_target_time')::timestamptz");
        is_understood = time.has_value();
        if (time) target.time = *time;
    }
    if (!is_understood)
        throw Error(ErrorKind::unavailable, format("recovery_target_{} \"{}\" is not understood",
                                                   to_string(target.kind), target.text));
}

RecoveryTarget ask_target(const Server& server) {
    RecoveryTarget target;
    if (server.setting("recovery_target") == "immediate") {
        target.kind = TargetKind::immediate;
        target.text = "immediate";
    }
    for (const TargetKind kind :
         {TargetKind::lsn, TargetKind::time, TargetKind::xid, TargetKind::name}) {
        std::string text = server.setting(format("recovery_target_{}", to_string(kind)));
        if (text.empty()) continue;
        target.kind = kind;
        target.text = std::move(text);
    }
    interpret(server, target);
    target.is_inclusive = server.setting("recovery_target_inclusive") == "on";
    target.action = server.setting("recovery_target_action");
    target.timeline = server.setting("recovery_target_timeline");
    if (const auto timeline = parse_target_number(target.timeline))
        target.timeline = format("{}", *timeline);
    return target;
}

}  // namespace

RecoveryProgress ask_recovery(const Server& server) {
    RecoveryProgress progress;
    progress.system_identifier =
        ask_number<std::uint64_t>(server, "SELECT system_identifier FROM pg_control_system()")
            .value_or(0);
    progress.is_recovering = server.query("SELECT pg_is_in_recovery()") == "t";
    if (!progress.is_recovering) return progress;
    progress.checkpoint_timeline =
        ask_number<wal::TimelineId>(server, "SELECT timeline_id FROM pg_control_checkpoint()")
            .value_or(0);
    const auto replayed =
        wal::parse_lsn(server.query("SELECT pg_last_wal_replay_lsn()").value_or(""));
    if (progress.checkpoint_timeline == 0 || !replayed)
        throw Error(ErrorKind::unavailable, "the server does not tell how far it has replayed");
    progress.replayed = *replayed;
    progress.last_commit = ask_time(server, "pg_last_xact_replay_timestamp()");
    progress.is_paused = server.query("SELECT pg_is_wal_replay_paused()") == "t";
    progress.target = ask_target(server);
    return progress;
}

}  // namespace walden::pg
