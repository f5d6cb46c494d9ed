#include "catalog/target_finder.h"

#include "base/error.h"
#include "catalog/stored_lines.h"

#include <algorithm>

namespace walden::catalog {

using Reach = TargetPlace::Reach;

namespace {

/// Recovery ends at the first commit or abort at the target's time, or behind all of that time
/// (recoveryStopsBefore in xlogrecovery.c).
std::optional<bool> is_time_met(const wal::SegmentFacts& facts, const pg::RecoveryTarget& target) {
    if (!facts.end_times) return std::nullopt;
    return target.is_inclusive ? facts.end_times->latest > target.time
                               : facts.end_times->latest >= target.time;
}

/// In the arithmetic modulo 2^32 that transaction ids have (TransactionIdPrecedes).
std::optional<bool> is_xid_met(const wal::SegmentFacts& facts, std::uint32_t xid) {
    if (!facts.xids) return std::nullopt;
    return static_cast<std::int32_t>(facts.xids->newest - xid) >= 0;
}

}  // namespace

TargetPlace TargetFinder::find(const pg::RecoveryTarget& target) {
    end_ = find_line_end(vault_, line_, size_, from_);
    TargetPlace place;
    switch (target.kind) {
        case pg::TargetKind::none: break;
        case pg::TargetKind::immediate: break;
        case pg::TargetKind::lsn: place = locate(target.lsn); break;
        case pg::TargetKind::time:
            place = search([&](const auto& facts) { return is_time_met(facts, target); });
            break;
        case pg::TargetKind::xid:
            place = search([&](const auto& facts) { return is_xid_met(facts, target.xid); });
            break;
        case pg::TargetKind::name:
            place.reason = "the archive does not tell where the restore point is";
            break;
    }
    place.archive_end = end_;
    return place;
}

/// Recovery ends at the first record that begins at the target or behind it.
TargetPlace TargetFinder::locate(wal::Lsn lsn) {
    std::uint64_t number = segment_number_of(lsn, size_);
    const TargetPlace beyond{.reach = Reach::beyond_archive};
    if (!end_ || end_->segment_number < number) return beyond;
    // Behind a switch there is nothing more in a segment.
    const auto& facts = facts_of(number);
    if (facts && lsn >= facts->valid_end) ++number;
    if (end_->segment_number < number) return beyond;
    return {.reach = Reach::in_archive, .segment = name_of(number)};
}

TargetPlace TargetFinder::search(const Judge& judge) {
    TargetPlace place{.reach = Reach::beyond_archive, .is_estimate = true};
    if (!end_) return place;
    const std::uint64_t behind_all = end_->segment_number + 1;
    // The first segment that meets the target is in [low, high]; `behind_all` is none.
    std::uint64_t low = from_;
    std::uint64_t high = behind_all;
    bool is_told = true;
    while (low < high) {
        const auto verdict = find_verdict(low, high, judge);
        if (!verdict) {
            // Between them is nothing that tells, or too much to look at.
            is_told = entries_read_ < entries_max;
            break;
        }
        if (verdict->is_met)
            high = verdict->number;
        else
            low = verdict->number + 1;
    }
    for (const auto& [number, facts] : facts_)
        if (facts && facts->facts.end_times)
            place.last_commit = std::max(place.last_commit.value_or(facts->facts.end_times->latest),
                                         facts->facts.end_times->latest);
    if (high < behind_all) {
        place.reach = Reach::in_archive;
        place.segment = name_of(high);
    } else if (!is_told) {
        place.reach = Reach::not_told;
        place.reason = "too many segments without a transaction are in the archive";
    }
    return place;
}

/// The verdict of some segment in [low, high), which narrows the search: of the middle one, else of
/// those at a quarter and three quarters, and so on. nullopt if none of them tells, or
/// `entries_max` were read.
std::optional<TargetFinder::Verdict> TargetFinder::find_verdict(std::uint64_t low,
                                                                std::uint64_t high,
                                                                const Judge& judge) {
    for (std::uint64_t step = high - low; step > 0; step /= 2)
        for (std::uint64_t number = low + step / 2; number < high; number += step) {
            if (entries_read_ >= entries_max) return std::nullopt;
            if (const auto is_met = judge_segment(number, judge)) return Verdict{number, *is_met};
        }
    return std::nullopt;
}

std::optional<bool> TargetFinder::judge_segment(std::uint64_t number, const Judge& judge) {
    const auto& facts = facts_of(number);
    if (!facts) return std::nullopt;
    return judge(facts->facts);
}

const std::optional<wal::StoredFacts>& TargetFinder::facts_of(std::uint64_t number) {
    const auto known = facts_.find(number);
    if (known != facts_.end()) return known->second;
    return facts_.emplace(number, read_facts(number)).first->second;
}

std::optional<wal::StoredFacts> TargetFinder::read_facts(std::uint64_t number) {
    for (const wal::TimelineId timeline : line_.timelines_of_segment(number, size_)) {
        if (entries_read_ >= entries_max) return std::nullopt;
        ++entries_read_;
        try {
            const auto stored = vault_.entries().find(
                vault_.layout().segment_key(to_string(wal::SegmentName{timeline, number}, size_)));
            if (stored) return wal::decode_facts(stored->entry.facts);
        } catch (const Error& error) {
            if (!is_damage(error)) throw;
        }
    }
    return std::nullopt;
}

/// As recovery asks for it first.
wal::SegmentName TargetFinder::name_of(std::uint64_t number) const {
    return {line_.timelines_of_segment(number, size_).front(), number};
}

}  // namespace walden::catalog
