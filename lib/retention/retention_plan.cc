#include "retention/retention_plan.h"

#include "base/format.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace walden::retention {

namespace {

using catalog::SegmentRun;

/// "tier daily: day 3 of 7"
struct TierPlace {
    const Tier* tier = nullptr;
    std::uint32_t place = 0;  ///< from 1, newest first
};

bool is_restorable(const BackupView& backup) {
    return backup.state == BackupState::committed && !backup.is_damaged;
}

/// The backups of one class that count, newest first.
std::vector<const BackupView*> newest_first(const ArchiveView& archive, BackupClass what) {
    std::vector<const BackupView*> found;
    for (const BackupView& backup : archive.backups)
        if (backup.what == what && is_restorable(backup)) found.push_back(&backup);
    std::sort(found.begin(), found.end(), [](const BackupView* a, const BackupView* b) {
        return std::pair(a->began, a->span.id) > std::pair(b->began, b->span.id);
    });
    return found;
}

using Places = std::map<std::string, std::vector<TierPlace>>;

void place_in_tier(const ArchiveView& archive, const Tier& tier, Places& places) {
    std::set<std::int64_t> periods;
    for (const BackupView* backup : newest_first(archive, tier.what)) {
        if (!periods.insert(period_number(tier.every, backup->began)).second) continue;
        if (periods.size() > tier.keep) return;
        places[backup->span.id].push_back(
            {.tier = &tier, .place = static_cast<std::uint32_t>(periods.size())});
    }
}

class BackupJudge {
public:
    BackupJudge(const Policy& policy, const ArchiveView& archive) {
        for (const Tier& tier : policy.tiers) place_in_tier(archive, tier, places_);
        const auto base = newest_first(archive, BackupClass::base);
        for (std::size_t i = 0; i < std::min<std::size_t>(policy.minimum, base.size()); ++i)
            newest_.insert(base[i]->span.id);
        minimum_ = policy.minimum;
        if (!base.empty()) newest_whole_ = base.front()->began;
    }

    [[nodiscard]] BackupVerdict judge(const BackupView& backup) const {
        BackupVerdict verdict{
            .id = backup.span.id, .is_kept = true, .keeps_all_wal = true, .why = {}};
        if (backup.state == BackupState::running) {
            verdict.why = "it is running";
        } else if (backup.pin) {
            verdict.why =
                backup.pin->empty() ? "kept by hand" : format("kept by hand: {}", *backup.pin);
        } else if (newest_.contains(backup.span.id)) {
            verdict.why = format("one of the {} newest", minimum_);
        } else if (const auto placed = places_.find(backup.span.id); placed != places_.end()) {
            describe_places(placed->second, verdict);
        } else if (backup.is_damaged && (!newest_whole_ || backup.began > *newest_whole_)) {
            verdict.why = "it has damaged pages, and no newer backup is whole";
        } else {
            verdict = {.id = backup.span.id,
                       .is_kept = false,
                       .keeps_all_wal = false,
                       .why = backup.is_damaged
                                  ? "it has damaged pages, and a newer backup is whole"
                                  : "no tier counts it"};
        }
        if (backup.what == BackupClass::dump) verdict.keeps_all_wal = false;
        return verdict;
    }

private:
    static void describe_places(const std::vector<TierPlace>& places, BackupVerdict& verdict) {
        verdict.keeps_all_wal = false;
        for (const TierPlace& place : places) {
            if (!verdict.why.empty()) verdict.why += ", ";
            verdict.why += format("tier \"{}\": {} {} of {}", place.tier->name,
                                  to_string(place.tier->every), place.place, place.tier->keep);
            if (place.tier->wal == WalKept::all) verdict.keeps_all_wal = true;
        }
    }

    Places places_;
    std::set<std::string> newest_;
    std::uint32_t minimum_ = 0;
    std::optional<std::int64_t> newest_whole_;
};

/// A stretch of a timeline that a backup needs.
struct Need {
    SegmentRun segments;
    std::string why;
};

std::optional<SegmentRun> intersect(const SegmentRun& a, const SegmentRun& b) {
    const SegmentRun both{.first = std::max(a.first, b.first), .last = std::min(a.last, b.last)};
    if (both.first > both.last) return std::nullopt;
    return both;
}

/// What `backup` needs of `timeline`, along any line of descent that leads through both.
void add_needs(const ArchiveView& archive, const BackupView& backup, bool keeps_all_wal,
               wal::TimelineId timeline, std::vector<Need>& needs) {
    const std::uint64_t start = wal::segment_number_of(backup.span.start, archive.size);
    const bool is_running = backup.state == BackupState::running;
    const std::uint64_t stop = wal::segment_number_of(backup.span.stop, archive.size);
    for (const auto& [newest, own_runs] : archive.runs) {
        const wal::TimelineHistory line = catalog::line_of(archive.histories, newest);
        const auto part = catalog::part_of_line(line, timeline, archive.size);
        if (!part || !catalog::lies_on_line(line, backup.span.timeline, backup.span.start))
            continue;
        const SegmentRun wanted{
            .first = start,
            .last = keeps_all_wal || is_running ? part->last : std::max(start, stop)};
        if (const auto needed = intersect(wanted, *part))
            needs.push_back({.segments = *needed,
                             .why = keeps_all_wal || is_running
                                        ? format("reachable from backup {}", backup.span.id)
                                        : format("makes backup {} consistent", backup.span.id)});
    }
}

/// Cuts a run into the parts that some need covers and those that none does.
void cut_run(wal::TimelineId timeline, const SegmentRun& run, const std::vector<Need>& needs,
             std::string_view nobody, std::vector<WalVerdict>& verdicts) {
    std::uint64_t at = run.first;
    while (true) {
        const Need* cover = nullptr;    // the need that holds `at` and reaches furthest
        std::uint64_t next = run.last;  // the last one before another need begins
        for (const Need& need : needs) {
            if (need.segments.contains(at)) {
                if (!cover || need.segments.last > cover->segments.last) cover = &need;
            } else if (need.segments.first > at) {
                next = std::min(next, need.segments.first - 1);
            }
        }
        const std::uint64_t last = cover ? std::min(cover->segments.last, run.last) : next;
        verdicts.push_back({.timeline = timeline,
                            .segments = {.first = at, .last = last},
                            .is_kept = cover != nullptr,
                            .why = cover ? cover->why : std::string(nobody)});
        if (last >= run.last) return;
        at = last + 1;
    }
}

std::vector<WalVerdict> judge_wal(const ArchiveView& archive,
                                  const std::vector<BackupVerdict>& kept) {
    std::map<std::string, const BackupVerdict*> verdict_of;
    for (const BackupVerdict& verdict : kept) verdict_of[verdict.id] = &verdict;
    const bool anything_reachable =
        std::any_of(kept.begin(), kept.end(),
                    [](const BackupVerdict& verdict) { return verdict.keeps_all_wal; });
    std::vector<WalVerdict> verdicts;
    for (const auto& [timeline, runs] : archive.runs) {
        std::vector<Need> needs;
        for (const BackupView& backup : archive.backups) {
            const auto verdict = verdict_of.find(backup.span.id);
            if (backup.what != BackupClass::base || verdict == verdict_of.end() ||
                !verdict->second->is_kept)
                continue;
            add_needs(archive, backup, verdict->second->keeps_all_wal, timeline, needs);
        }
        for (const SegmentRun& run : runs) {
            if (anything_reachable)
                cut_run(timeline, run, needs, "no backup that stays can use it", verdicts);
            else
                verdicts.push_back({.timeline = timeline,
                                    .segments = run,
                                    .is_kept = true,
                                    .why = "no base backup is kept with its WAL"});
        }
    }
    return verdicts;
}

catalog::RunsByTimeline runs_that_stay(const std::vector<WalVerdict>& verdicts) {
    catalog::RunsByTimeline runs;
    for (const WalVerdict& verdict : verdicts)
        if (verdict.is_kept) runs[verdict.timeline].push_back(verdict.segments);
    for (auto& [timeline, kept] : runs) kept = catalog::join_runs(std::move(kept));
    return runs;
}

std::vector<Refusal> find_refusals(const Policy& policy, const ArchiveView& archive,
                                   const std::vector<BackupVerdict>& verdicts) {
    std::vector<Refusal> refusals;
    if (std::none_of(policy.tiers.begin(), policy.tiers.end(), [](const Tier& tier) {
            return tier.what == BackupClass::base && tier.keep > 0;
        }))
        refusals.push_back(Refusal::no_policy);
    std::set<std::string> kept;
    for (const BackupVerdict& verdict : verdicts)
        if (verdict.is_kept) kept.insert(verdict.id);
    std::size_t bases = 0;
    std::size_t bases_kept = 0;
    bool is_proven = false;
    for (const BackupView& backup : archive.backups) {
        if (backup.what != BackupClass::base || !is_restorable(backup)) continue;
        ++bases;
        if (!kept.contains(backup.span.id)) continue;
        ++bases_kept;
        is_proven = is_proven || backup.is_proven;
    }
    if (!is_proven) refusals.push_back(Refusal::nothing_proven);
    // Of three or fewer, losing most is what a policy of one or two looks like.
    if (bases > 3 && bases_kept * 2 < bases) refusals.push_back(Refusal::most_would_go);
    return refusals;
}

std::vector<catalog::BackupSpan> spans_of(const ArchiveView& archive,
                                          const std::set<std::string>* only) {
    std::vector<catalog::BackupSpan> spans;
    for (const BackupView& backup : archive.backups)
        if (backup.what == BackupClass::base && is_restorable(backup) &&
            (!only || only->contains(backup.span.id)))
            spans.push_back(backup.span);
    return spans;
}

}  // namespace

std::string_view to_string(Refusal refusal) {
    switch (refusal) {
        case Refusal::no_policy: return "no-policy";
        case Refusal::nothing_proven: return "nothing-proven";
        case Refusal::most_would_go: return "most-would-go";
    }
    return "unknown";
}

std::uint64_t Plan::backups_to_expire() const {
    return static_cast<std::uint64_t>(
        std::count_if(backups.begin(), backups.end(),
                      [](const BackupVerdict& verdict) { return !verdict.is_kept; }));
}

std::uint64_t Plan::segments_to_expire() const {
    std::uint64_t count = 0;
    for (const WalVerdict& verdict : wal)
        if (!verdict.is_kept) count += verdict.segments.count();
    return count;
}

Plan make_plan(const Policy& policy, const ArchiveView& archive) {
    Plan plan;
    const BackupJudge judge(policy, archive);
    std::vector<const BackupView*> ordered;
    for (const BackupView& backup : archive.backups)
        if (backup.state == BackupState::committed || backup.state == BackupState::running)
            ordered.push_back(&backup);
    std::sort(ordered.begin(), ordered.end(), [](const BackupView* a, const BackupView* b) {
        return std::pair(a->began, a->span.id) > std::pair(b->began, b->span.id);
    });
    std::set<std::string> kept;
    for (const BackupView* backup : ordered) {
        plan.backups.push_back(judge.judge(*backup));
        if (plan.backups.back().is_kept) kept.insert(backup->span.id);
    }
    plan.wal = judge_wal(archive, plan.backups);
    plan.before = catalog::find_windows(spans_of(archive, nullptr), archive.histories, archive.runs,
                                        archive.size);
    plan.after = catalog::find_windows(spans_of(archive, &kept), archive.histories,
                                       runs_that_stay(plan.wal), archive.size);
    plan.refusals = find_refusals(policy, archive, plan.backups);
    return plan;
}

}  // namespace walden::retention
