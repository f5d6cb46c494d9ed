#include "catalog/descent.h"

#include "base/format.h"

namespace walden::catalog {

namespace {

/// "1, 3": the ancestors of a timeline.
std::string ancestors_of(const wal::TimelineHistory& history) {
    std::string text;
    for (const wal::TimelineSpan& span : history.spans())
        if (span.end) text += format("{}{}", text.empty() ? "" : ", ", span.timeline);
    return text.empty() ? "no other" : text;
}

/// Where the line of `target` parts from `timeline`, in words that go on after it; `lsn` is what
/// lies behind.
std::string parting(const wal::TimelineHistory& target, wal::TimelineId timeline) {
    const auto left_at = target.switch_point(timeline);
    if (left_at)
        return format("timeline {} left timeline {} before that, at {}", target.timeline(),
                      timeline, to_string(*left_at));
    if (target.contains(timeline))
        return format("timeline {} begins only at {}", timeline,
                      to_string(target.spans().back().begin));
    return format("timeline {} does not descend from timeline {} (it descends from {})",
                  target.timeline(), timeline, ancestors_of(target));
}

std::string way_out(const wal::TimelineHistory& target, wal::TimelineId timeline) {
    const auto left_at = target.switch_point(timeline);
    const std::string before =
        left_at ? format(" that ended before {}", to_string(*left_at)) : std::string(" of it");
    return format(
        "To stay on its own line, set recovery_target_timeline = '{}' (in decimal). To "
        "follow timeline {}, restore a base backup{}, or bring the directory back with "
        "pg_rewind.",
        timeline, target.timeline(), before);
}

}  // namespace

std::optional<DescentProblem> explain_descent(const wal::TimelineHistory& target,
                                              const DescentQuestion& question) {
    if (target.timeline_at(question.checkpoint) != question.timeline)
        return DescentProblem{
            .text = format("timeline {} is not a child of this data directory's history: its "
                           "checkpoint is at {} on timeline {}, and {}",
                           target.timeline(), to_string(question.checkpoint), question.timeline,
                           parting(target, question.timeline)),
            .hint = way_out(target, question.timeline)};
    if (!question.minimum_recovery) return std::nullopt;
    // The last byte that was replayed must be on the line, not the first one behind it.
    const wal::Lsn last{question.minimum_recovery->value - 1};
    if (target.timeline_at(last) == question.minimum_recovery_timeline) return std::nullopt;
    return DescentProblem{
        .text = format("timeline {} does not contain what this data directory has replayed: up to "
                       "{} on timeline {}, and {}",
                       target.timeline(), to_string(*question.minimum_recovery),
                       question.minimum_recovery_timeline,
                       parting(target, question.minimum_recovery_timeline)),
        .hint = way_out(target, question.minimum_recovery_timeline)};
}

}  // namespace walden::catalog
