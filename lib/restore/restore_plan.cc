#include "restore/restore_plan.h"

#include "base/error.h"
#include "base/format.h"
#include "catalog/histories.h"
#include "catalog/line_coverage.h"
#include "catalog/stored_lines.h"
#include "catalog/stored_runs.h"
#include "catalog/target_finder.h"
#include "catalog/wal_search.h"
#include "wal/stored_facts.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace walden::restore {

namespace {

using catalog::StoredBackup;

/// A target whose segment is only estimated is looked for in so many segments from there on.
constexpr std::uint64_t searched_segments_max = 64;
/// Restore points are in no fact: so much WAL is read for one, newest first.
constexpr std::uint64_t named_segments_max = 4096;

/// The end of a second of Unix time, as PostgreSQL counts.
wal::Timestamp behind(std::int64_t unix_seconds) {
    constexpr std::int64_t postgres_epoch = 946'684'800;
    return (unix_seconds + 1 - postgres_epoch) * 1'000'000;
}

/// Plans one restore.
class Planner {
public:
    Planner(const RestoreSource& source, const RestoreQuestion& question)
        : source_(source), question_(question) {}

    RestorePlan plan() {
        const std::vector<const StoredBackup*> candidates = find_candidates();
        choose_line(candidates);
        list_runs(candidates);
        find_position(candidates);
        RestorePlan plan = choose(candidates);
        prove(plan);
        return plan;
    }

private:
    [[nodiscard]] Error with_windows(Error error) const {
        return std::move(error).with_detail(describe_windows(source_));
    }

    /// Newest first, as far as they may be used at all.
    [[nodiscard]] std::vector<const StoredBackup*> find_candidates() const {
        std::vector<const StoredBackup*> found;
        for (const StoredBackup& backup : source_.backups) {
            if (question_.backup && backup.id != *question_.backup) continue;
            if (question_.backup) require_usable(backup);
            if (backup.is_restorable() &&
                (question_.accepts_damage || backup.commit().damaged_pages.empty()))
                found.push_back(&backup);
        }
        if (found.empty() && question_.backup)
            throw Error(ErrorKind::usage, format("there is no backup {}", question_.backup->text()))
                .with_hint("\"walden info\" lists the backups.");
        if (found.empty()) throw_without_backup();
        std::sort(found.begin(), found.end(), [](const StoredBackup* a, const StoredBackup* b) {
            return a->commit().stop_lsn > b->commit().stop_lsn;
        });
        return found;
    }

    void require_usable(const StoredBackup& backup) const {
        if (backup.state == catalog::BackupState::damaged)
            throw Error(ErrorKind::corrupt, backup.damage);
        if (!backup.is_restorable())
            throw Error(ErrorKind::usage, format("backup {} is {}, and cannot be restored",
                                                 backup.id.text(), to_string(backup.state)));
        if (!backup.commit().damaged_pages.empty() && !question_.accepts_damage)
            throw Error(ErrorKind::corrupt,
                        format("backup {} has {} pages that were damaged at their source",
                               backup.id.text(), backup.commit().damaged_pages.size()))
                .with_hint("--accept-damage restores it as it is.");
    }

    [[noreturn]] void throw_without_backup() const {
        const bool has_damaged =
            std::any_of(source_.backups.begin(), source_.backups.end(),
                        [](const StoredBackup& backup) { return backup.is_restorable(); });
        if (has_damaged)
            throw Error(ErrorKind::corrupt,
                        "every base backup has pages that were damaged at their source")
                .with_hint("--accept-damage restores the newest as it is.");
        throw Error(ErrorKind::not_found, "the archive holds no base backup")
            .with_hint("\"walden backup\" takes one.");
    }

    /// "latest" is the newest timeline that any backup leads to: after a recovery to an earlier
    /// moment the newest backup may lie on the branch that was left.
    void choose_line(const std::vector<const StoredBackup*>& candidates) {
        const std::string& wanted = question_.target.timeline;
        if (wanted == "current") {
            line_ = catalog::line_of(source_.histories, candidates.front()->commit().stop_timeline);
            return;
        }
        if (!wanted.empty() && wanted != "latest") {
            const auto number = pg::parse_target_number(wanted);
            if (!number || *number == 0)
                throw Error(ErrorKind::usage, format("\"{}\" is no timeline", wanted));
            line_ = catalog::line_of(source_.histories, *number);
            return;
        }
        wal::TimelineId newest = 0;
        for (const StoredBackup* backup : candidates)
            newest = std::max(newest, backup->commit().stop_timeline);
        for (const auto& [timeline, history] : source_.histories)
            if (timeline > newest &&
                std::any_of(candidates.begin(), candidates.end(),
                            [&](const StoredBackup* backup) { return is_on(history, *backup); }))
                newest = timeline;
        line_ = catalog::line_of(source_.histories, newest);
    }

    [[nodiscard]] static bool is_on(const wal::TimelineHistory& line, const StoredBackup& backup) {
        const auto span = backup.span();
        return catalog::lies_on_line(line, span.timeline, span.start) &&
               catalog::lies_on_line(line, span.timeline, span.stop);
    }

    [[nodiscard]] std::uint64_t start_of(const StoredBackup& backup) const {
        return wal::segment_number_of({backup.commit().redo_lsn}, source_.size);
    }

    void list_runs(const std::vector<const StoredBackup*>& candidates) {
        std::uint64_t from = std::numeric_limits<std::uint64_t>::max();
        for (const StoredBackup* backup : candidates) from = std::min(from, start_of(*backup));
        runs_ = catalog::runs_on_line(
            line_, catalog::list_line_runs(source_.vault, line_, from, source_.size), source_.size);
        from_ = from;
    }

    /// Where recovery stops: the segment, and the record where that can be told.
    void find_position(const std::vector<const StoredBackup*>& candidates) {
        switch (question_.target.kind) {
            case pg::TargetKind::none:
            case pg::TargetKind::immediate: return;
            case pg::TargetKind::name: find_restore_point(); return;
            case pg::TargetKind::lsn:
                position_.lsn = question_.target.lsn;
                target_segment_ = locate(candidates);
                return;
            case pg::TargetKind::time:
            case pg::TargetKind::xid:
                target_segment_ = locate(candidates);
                find_exactly();
                return;
        }
    }

    [[nodiscard]] std::uint64_t locate(const std::vector<const StoredBackup*>& candidates) const {
        catalog::TargetFinder finder(source_.vault, source_.size, line_, from_);
        const catalog::TargetPlace place = finder.find(question_.target);
        if (place.reach == catalog::TargetPlace::Reach::in_archive)
            return place.segment->segment_number;
        std::string message = format("the archive ends before the target {} \"{}\"",
                                     to_string(question_.target.kind), question_.target.text);
        if (place.reach == catalog::TargetPlace::Reach::not_told)
            message = format("the place of the target cannot be told: {}", place.reason);
        else if (place.last_commit)
            message += format("; its last commit is at {}", wal::to_utc_text(*place.last_commit));
        static_cast<void>(candidates);
        throw with_windows(Error(ErrorKind::missing, message)
                               .with_hint("--latest recovers everything that was archived."));
    }

    /// Facts name a segment; its records tell where in it, or that it is one of the next.
    void find_exactly() {
        position_.is_estimate = true;
        if (!source_.vault.keys().can_read_contents()) return;
        const catalog::SegmentRun* run = catalog::find_run(runs_, *target_segment_);
        if (!run) return;
        const std::uint64_t last = std::min(run->last, *target_segment_ + searched_segments_max);
        for (std::uint64_t number = *target_segment_; number <= last; ++number)
            if (search(number)) return;
    }

    bool search(std::uint64_t number) {
        const catalog::SegmentSearch found =
            catalog::search_segment(source_.vault, line_, source_.size, number, question_.target);
        if (found.last_before) position_.last_before = found.last_before;
        if (!found.stop) return false;
        position_ = {.lsn = found.stop->lsn,
                     .time = found.stop->time,
                     .xid = found.stop->xid != 0 ? std::optional(found.stop->xid) : std::nullopt,
                     .last_before = position_.last_before,
                     .is_estimate = false};
        target_segment_ = number;
        return true;
    }

    void find_restore_point() {
        std::uint64_t read = 0;
        for (auto run = runs_.rbegin(); run != runs_.rend(); ++run)
            for (std::uint64_t number = run->last + 1; number-- > run->first;) {
                if (++read > named_segments_max)
                    throw Error(ErrorKind::not_found,
                                format("restore point \"{}\" is not in the newest {} segments",
                                       question_.target.text, named_segments_max));
                if (search(number)) return;
            }
        throw with_windows(
            Error(ErrorKind::not_found,
                  format("restore point \"{}\" is not in the archive", question_.target.text)));
    }

    /// Whether the backup is consistent before recovery stops.
    [[nodiscard]] bool ends_before_target(const StoredBackup& backup) const {
        if (!target_segment_) return true;
        // WAL before the backup may be gone, so a commit between the target and the backup's end
        // need not show. The files would hold it.
        if (question_.target.kind == pg::TargetKind::time &&
            question_.target.time < behind(backup.commit().ended))
            return false;
        const wal::Lsn stop{backup.commit().stop_lsn};
        if (position_.lsn) return stop <= *position_.lsn;
        // Only the segment is known, so a backup that ends in it may end too late.
        return wal::segment_number_of(stop, source_.size) < *target_segment_;
    }

    [[nodiscard]] RestorePlan choose(const std::vector<const StoredBackup*>& candidates) const {
        for (const StoredBackup* backup : candidates) {
            if (!is_on(line_, *backup) || !ends_before_target(*backup)) continue;
            RestorePlan plan;
            plan.backup = *backup;
            plan.line = line_;
            plan.position = position_;
            const std::uint64_t start = start_of(*backup);
            plan.first = {line_.timelines_of_segment(start, source_.size).front(), start};
            return plan;
        }
        if (!target_segment_)
            throw with_windows(
                Error(ErrorKind::not_found,
                      format("no backup lies on the line of timeline {}", line_.timeline())));
        throw with_windows(Error(
            ErrorKind::not_found,
            format("no backup of timeline {} ends before the target {} \"{}\"", line_.timeline(),
                   to_string(question_.target.kind), question_.target.text)));
    }

    void prove(RestorePlan& plan) const {
        const std::uint64_t start = plan.first.segment_number;
        const catalog::SegmentRun* run = catalog::find_run(runs_, start);
        const std::uint64_t needed =
            std::max(wal::segment_number_of({plan.backup.commit().stop_lsn}, source_.size),
                     target_segment_.value_or(0));
        if (!run) throw_hole(plan, start);
        if (run->last < needed) throw_hole(plan, run->last + 1);
        plan.archive_end = name_of(run->last);
        plan.last = plan.archive_end;
        if (question_.target.kind == pg::TargetKind::immediate) plan.last = name_of(needed);
        if (target_segment_) plan.last = name_of(*target_segment_);
        // Later WAL behind a hole is WAL that --latest would silently leave out.
        if (question_.target.kind == pg::TargetKind::none && runs_.back().last > run->last)
            throw_hole(plan, run->last + 1);
        require_undamaged(plan);
    }

    [[noreturn]] void throw_hole(const RestorePlan& plan, std::uint64_t number) const {
        throw with_windows(
            Error(ErrorKind::missing,
                  format("segment {} is not in the archive, and recovery from backup {} needs it",
                         to_string(name_of(number), source_.size), plan.backup.id.text()))
                .with_hint("Choose a moment within what can be reached, or a later backup."));
    }

    void require_undamaged(const RestorePlan& plan) const {
        for (const std::string& name : catalog::list_damaged_segments(source_.vault)) {
            const auto segment = wal::parse_segment_name(name, source_.size);
            if (!segment || segment->segment_number < plan.first.segment_number ||
                segment->segment_number > plan.last.segment_number)
                continue;
            const auto timelines =
                line_.timelines_of_segment(segment->segment_number, source_.size);
            if (std::find(timelines.begin(), timelines.end(), segment->timeline) == timelines.end())
                continue;
            throw with_windows(Error(
                ErrorKind::corrupt,
                format("segment {} was damaged at its source, and recovery cannot pass it", name)));
        }
    }

    [[nodiscard]] wal::SegmentName name_of(std::uint64_t number) const {
        return {line_.timelines_of_segment(number, source_.size).front(), number};
    }

    const RestoreSource& source_;
    const RestoreQuestion& question_;
    wal::TimelineHistory line_{1};
    std::vector<catalog::SegmentRun> runs_;  ///< of the line, from `from_` on
    std::uint64_t from_ = 0;
    std::optional<std::uint64_t> target_segment_;
    TargetPosition position_;
};

}  // namespace

RestoreSource open_source(const vault::ClusterVault& vault, wal::SegmentSize size) {
    const vault::BackupStore store(vault.objects(), vault.layout());
    return {.vault = vault,
            .size = size,
            .backups = catalog::list_backups(store),
            .histories = catalog::read_histories(vault)};
}

RestorePlan plan_restore(const RestoreSource& source, const RestoreQuestion& question) {
    return Planner(source, question).plan();
}

std::string describe_windows(const RestoreSource& source) {
    std::vector<catalog::BackupSpan> spans;
    for (const StoredBackup& backup : source.backups)
        if (backup.is_restorable()) spans.push_back(backup.span());
    std::string text;
    for (const catalog::Window& window : catalog::find_windows(
             spans, source.histories, catalog::list_runs(source.vault, source.size), source.size))
        text +=
            format("{}timeline {} from {} to {} with backup {}", text.empty() ? "" : "; ",
                   window.timeline, to_string(window.from), to_string(window.to), window.backup);
    if (text.empty()) return "Nothing can be reached.";
    return format("Any moment can be reached on {}.", text);
}

}  // namespace walden::restore
