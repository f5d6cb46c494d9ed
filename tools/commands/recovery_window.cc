#include "tools/commands/recovery_window.h"

#include "base/error.h"
#include "vault/backup_store.h"

#include <algorithm>
#include <map>

namespace walden::commands {

namespace {

using catalog::ClusterSurvey;
using catalog::SegmentRun;
using catalog::TimelineSurvey;

constexpr std::size_t label_count_max = 100;

/// "000000010000000000000003.00000028.backup".
std::optional<BaseBackup> parse_label(const std::string& name, wal::SegmentSize size) {
    const auto parsed = wal::parse_wal_file_name(name);
    if (!parsed || parsed->kind != wal::WalFileKind::backup_label) return std::nullopt;
    const auto segment = wal::resolve_segment(*parsed, size);
    if (!segment) return std::nullopt;
    return BaseBackup{.name = name,
                      .kind = BaseBackup::Kind::elsewhere,
                      .timeline = segment->timeline,
                      .start = {first_lsn(*segment, size).value + parsed->backup_offset}};
}

void add_labels(const vault::ClusterVault& vault, const ClusterSurvey& survey,
                wal::SegmentSize size, std::vector<BaseBackup>& backups) {
    for (std::size_t i = 0; i < survey.labels.size(); ++i) {
        if (i != 0 && i + label_count_max < survey.labels.size()) continue;
        auto backup = parse_label(survey.labels[i], size);
        if (!backup) continue;
        try {
            const auto stored = vault.entries().find(vault.layout().label_key(survey.labels[i]));
            if (!stored) continue;
            // PostgreSQL archives the label when the backup has ended.
            backup->ended = stored->entry.writer.time;
        } catch (const Error& error) {
            if (!is_damage(error)) throw;
            continue;  // the survey has said so
        }
        backups.push_back(std::move(*backup));
    }
}

void add_stored(const vault::ClusterVault& vault, std::vector<BaseBackup>& backups) {
    const vault::BackupStore store(vault.objects(), vault.layout());
    for (const vault::BackupId& id : store.list()) {
        try {
            const auto outcome = store.find_outcome(id);
            if (!outcome || !outcome->commit || store.find_tomb(id)) continue;
            backups.push_back({.name = to_string(id),
                               .kind = BaseBackup::Kind::stored,
                               .timeline = outcome->commit->start_timeline,
                               .start = {outcome->commit->redo_lsn},
                               .ended = outcome->commit->ended});
        } catch (const Error& error) {
            if (!is_damage(error)) throw;
        }
    }
}

/// The runs of each timeline, and how a line goes through them.
class Line {
public:
    Line(const ClusterSurvey& survey, const wal::TimelineHistory& history, wal::SegmentSize size)
        : history_(history), size_(size) {
        for (const TimelineSurvey& timeline : survey.timelines)
            runs_[timeline.timeline] = &timeline.runs;
    }

    /// The last segment that recovery gets to from there without a hole; nullopt if not even the
    /// first is archived.
    [[nodiscard]] std::optional<wal::SegmentName> reach_from(std::uint64_t number) const {
        std::optional<wal::SegmentName> last;
        while (const auto next = run_end_at(number)) {
            last = next;
            number = next->segment_number + 1;
        }
        return last;
    }

    [[nodiscard]] bool contains(const BaseBackup& backup) const {
        if (!history_.contains(backup.timeline)) return false;
        const auto left_at = history_.switch_point(backup.timeline);
        return !left_at || backup.start < *left_at;
    }

    [[nodiscard]] std::uint64_t number_of(const BaseBackup& backup) const {
        return segment_number_of(backup.start, size_);
    }

    [[nodiscard]] const wal::TimelineHistory& history() const { return history_; }

private:
    /// The end of the run that holds the segment, as far as its timeline belongs to the line.
    [[nodiscard]] std::optional<wal::SegmentName> run_end_at(std::uint64_t number) const {
        for (const wal::TimelineId timeline : history_.timelines_of_segment(number, size_)) {
            const auto runs = runs_.find(timeline);
            if (runs == runs_.end()) continue;
            for (const SegmentRun& run : *runs->second) {
                if (number < run.first || number > run.last) continue;
                std::uint64_t last = run.last;
                if (const auto left_at = history_.switch_point(timeline))
                    last = std::min(last, segment_number_of(*left_at, size_));
                return wal::SegmentName{timeline, std::max(last, number)};
            }
        }
        return std::nullopt;
    }

    const wal::TimelineHistory& history_;
    wal::SegmentSize size_;
    std::map<wal::TimelineId, const std::vector<SegmentRun>*> runs_;
};

wal::TimelineHistory history_of(const TimelineSurvey& timeline) {
    return timeline.history ? *timeline.history : wal::TimelineHistory(timeline.timeline);
}

bool is_branched_from(const ClusterSurvey& survey, wal::TimelineId timeline) {
    return std::any_of(
        survey.timelines.begin(), survey.timelines.end(), [&](const TimelineSurvey& other) {
            return other.timeline != timeline && other.history && other.history->contains(timeline);
        });
}

/// The last archived segment of the line, wherever holes are.
std::optional<wal::SegmentName> last_segment(const ClusterSurvey& survey, const Line& line,
                                             wal::SegmentSize size) {
    std::optional<wal::SegmentName> last;
    for (const TimelineSurvey& timeline : survey.timelines) {
        if (!line.history().contains(timeline.timeline) || timeline.runs.empty()) continue;
        std::uint64_t number = timeline.runs.back().last;
        if (const auto left_at = line.history().switch_point(timeline.timeline))
            number = std::min(number, segment_number_of(*left_at, size));
        if (!last || number >= last->segment_number)
            last = wal::SegmentName{timeline.timeline, number};
    }
    return last;
}

/// The newest commit that is surely on the line: what a timeline got after it was left is not.
std::optional<wal::Timestamp> latest_commit(const ClusterSurvey& survey, const Line& line,
                                            wal::SegmentSize size) {
    std::optional<wal::Timestamp> latest;
    for (const TimelineSurvey& timeline : survey.timelines) {
        if (!line.history().contains(timeline.timeline) || !timeline.latest_commit) continue;
        const auto left_at = line.history().switch_point(timeline.timeline);
        if (!left_at || timeline.runs.empty() ||
            timeline.runs.back().last < segment_number_of(*left_at, size))
            latest = timeline.latest_commit;
    }
    return latest;
}

}  // namespace

std::vector<BaseBackup> find_base_backups(const vault::ClusterVault& vault,
                                          const ClusterSurvey& survey) {
    std::vector<BaseBackup> backups;
    const auto size = wal::SegmentSize::from_bytes(survey.identity->segment_size);
    if (size) add_labels(vault, survey, *size, backups);
    add_stored(vault, backups);
    std::stable_sort(
        backups.begin(), backups.end(),
        [](const BaseBackup& one, const BaseBackup& other) { return one.ended < other.ended; });
    return backups;
}

std::vector<RecoveryWindow> find_recovery_windows(const ClusterSurvey& survey,
                                                  const std::vector<BaseBackup>& backups,
                                                  wal::SegmentSize size) {
    std::vector<RecoveryWindow> windows;
    for (const TimelineSurvey& timeline : survey.timelines) {
        if (is_branched_from(survey, timeline.timeline)) continue;
        const wal::TimelineHistory history = history_of(timeline);
        const Line line(survey, history, size);
        RecoveryWindow window{.timeline = timeline.timeline,
                              .base_backup = std::nullopt,
                              .latest_commit = latest_commit(survey, line, size),
                              .latest_segment = last_segment(survey, line, size)};
        for (const BaseBackup& backup : backups) {
            if (!line.contains(backup)) continue;
            const auto reach = line.reach_from(line.number_of(backup));
            if (!reach || !window.latest_segment ||
                reach->segment_number < window.latest_segment->segment_number)
                continue;
            window.base_backup = backup;
            break;
        }
        windows.push_back(std::move(window));
    }
    return windows;
}

}  // namespace walden::commands
