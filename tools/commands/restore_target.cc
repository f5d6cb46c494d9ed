#include "tools/commands/restore_target.h"

#include "base/error.h"
#include "base/format.h"
#include "pg/target_time.h"
#include "wal/stored_facts.h"

namespace walden::commands {

namespace {

using pg::TargetKind;

void take_time(pg::RecoveryTarget& target, const std::string& text) {
    const auto time = pg::parse_target_time(text);
    if (!time)
        throw Error(ErrorKind::usage, format("\"{}\" is no time with a zone", text))
            .with_hint("Write it like '2026-06-04 14:31:59+00'.");
    target.time = *time;
    // As PostgreSQL reads it whatever its time zone is.
    target.text = wal::to_utc_text(*time);
}

void take_xid(pg::RecoveryTarget& target, const std::string& text) {
    const auto xid = pg::parse_target_number(text);
    if (!xid) throw Error(ErrorKind::usage, format("\"{}\" is no transaction id", text));
    target.xid = *xid;
    target.text = format("{}", *xid);
}

void take_lsn(pg::RecoveryTarget& target, const std::string& text) {
    const auto lsn = wal::parse_lsn(text);
    if (!lsn) throw Error(ErrorKind::usage, format("\"{}\" is no LSN such as 0/3000028", text));
    target.lsn = *lsn;
    target.text = to_string(*lsn);
}

}  // namespace

void add_target_options(const cli::Command& command, TargetOptions& options) {
    command.flag("--latest", options.is_latest, "Recover all that was archived");
    command.option("--to-time", options.time,
                   "Stop before the first commit after that time, '2026-06-04 14:31:59+00'");
    command.option("--to-xid", options.xid, "Stop behind the end of that transaction");
    command.option("--before-xid", options.before_xid, "Stop before the end of that transaction");
    command.option("--to-lsn", options.lsn, "Stop behind the record at that LSN");
    command.option("--to-name", options.name, "Stop at that restore point");
    command.flag("--immediate", options.is_immediate, "Stop as soon as the backup is consistent");
    command.option("--timeline", options.timeline,
                   "Follow that timeline: its number, \"current\" (the backup's) or \"latest\", "
                   "which is the default");
    command.option("--backup", options.backup, "Begin with that backup; else the newest that fits");
    command.flag("--accept-damage", options.accepts_damage,
                 "Also use backups with pages that were damaged at their source");
}

restore::RestoreQuestion to_question(const TargetOptions& options) {
    restore::RestoreQuestion question{
        .target = {}, .backup = {}, .accepts_damage = options.accepts_damage};
    pg::RecoveryTarget& target = question.target;
    int count = options.is_latest ? 1 : 0;
    const auto take = [&](TargetKind kind, const std::string& text, auto&& parse) {
        if (text.empty()) return;
        ++count;
        target.kind = kind;
        parse(target, text);
    };
    take(TargetKind::time, options.time, take_time);
    take(TargetKind::xid, options.xid, take_xid);
    take(TargetKind::xid, options.before_xid, take_xid);
    take(TargetKind::lsn, options.lsn, take_lsn);
    take(TargetKind::name, options.name,
         [](pg::RecoveryTarget& named, const std::string& text) { named.text = text; });
    if (options.is_immediate) {
        ++count;
        target.kind = TargetKind::immediate;
        target.text = "immediate";
    }
    if (count != 1)
        throw Error(ErrorKind::usage,
                    count == 0 ? "where the recovery is to stop is missing"
                               : "more than one option says where the recovery is to stop")
            .with_hint(
                "Name one of --latest, --to-time, --to-xid, --before-xid, --to-lsn, "
                "--to-name and --immediate.");
    target.is_inclusive = options.before_xid.empty();
    target.timeline = options.timeline.empty() ? "latest" : options.timeline;
    if (!options.backup.empty()) {
        question.backup = vault::parse_backup_id(options.backup);
        if (!question.backup)
            throw Error(ErrorKind::usage, format("\"{}\" names no backup", options.backup))
                .with_hint(
                    "A backup is called like 20261129-143200-7f3a; \"walden info\" lists "
                    "them.");
    }
    return question;
}

wal::SegmentSize segment_size_of(const vault::ClusterIdentity& identity) {
    const auto size = wal::SegmentSize::from_bytes(identity.segment_size);
    if (!size)
        throw Error(
            ErrorKind::corrupt,
            format("the cluster is registered with segments of {} bytes", identity.segment_size));
    return *size;
}

std::string target_text(const restore::RestoreQuestion& question) {
    const pg::RecoveryTarget& target = question.target;
    switch (target.kind) {
        case TargetKind::none: return "the end of the archived WAL";
        case TargetKind::immediate: return "the moment at which the backup is consistent";
        case TargetKind::lsn:
        case TargetKind::time:
        case TargetKind::name: break;
        case TargetKind::xid:
            return format("{} transaction {}", target.is_inclusive ? "behind" : "before",
                          target.text);
    }
    return format("{} {}", to_string(target.kind), target.text);
}

}  // namespace walden::commands
