#include "wal/timeline_history.h"

#include "base/format.h"
#include "wal/number_text.h"

#include <algorithm>
#include <cassert>

namespace walden::wal {

namespace {

constexpr std::string_view blanks = " \t\r\f\v";

std::string_view take_blanks(std::string_view& rest) {
    const std::string_view taken = rest.substr(0, rest.find_first_not_of(blanks));
    rest.remove_prefix(taken.size());
    return taken;
}

std::string_view take_field(std::string_view& rest) {
    const std::string_view taken = rest.substr(0, rest.find_first_of(blanks));
    rest.remove_prefix(taken.size());
    return taken;
}

bool means_nothing(std::string_view line) {
    const std::size_t first = line.find_first_not_of(blanks);
    return first == std::string_view::npos || line[first] == '#';
}

}  // namespace

struct HistoryParser {
    TimelineHistory history;
    std::string reason;

    /// False, with `reason` set, if the line is malformed.
    bool add_line(std::string_view line, std::size_t number) {
        std::string_view rest = line;
        take_blanks(rest);
        const auto timeline = parse_number(take_field(rest), 10);
        if (!timeline || *timeline == 0) return refuse(number, "a timeline in decimal is expected");
        take_blanks(rest);
        const auto end = parse_lsn(take_field(rest));
        if (!end) return refuse(number, "a switch point like 0/3000000 is expected");
        take_blanks(rest);

        std::vector<TimelineSpan>& spans = history.spans_;
        if (spans.size() > 1 && *timeline <= spans[spans.size() - 2].timeline)
            return refuse(number, "timelines must ascend");
        TimelineSpan child = {.timeline = history.timeline(), .begin = *end};
        spans.back().timeline = *timeline;
        spans.back().end = *end;
        spans.back().reason = rest.substr(0, rest.find_last_not_of(blanks) + 1);
        spans.push_back(std::move(child));
        return true;
    }

    bool refuse(std::size_t line_number, std::string_view why) {
        reason = format("line {}: {}", line_number, why);
        return false;
    }

    /// A line without its newline is whole only if something follows the switch point, which would
    /// otherwise parse as a smaller number.
    static bool may_be_cut(std::string_view line) {
        take_blanks(line);
        take_field(line);
        take_blanks(line);
        take_field(line);
        return line.find_first_not_of(blanks) == std::string_view::npos;
    }
};

HistoryResult parse_timeline_history(ByteView file, TimelineId child) {
    assert(child != 0);
    std::string_view rest = as_text(file);
    if (rest.find('\0') != std::string_view::npos) return {std::nullopt, "it holds a zero byte"};

    HistoryParser parser{TimelineHistory(child), {}};
    for (std::size_t number = 1; !rest.empty(); ++number) {
        const std::size_t newline = rest.find('\n');
        const std::string_view line = rest.substr(0, newline);
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        if (means_nothing(line)) continue;
        if (newline == std::string_view::npos && HistoryParser::may_be_cut(line))
            return {std::nullopt, format("line {}: it is cut short", number)};
        if (!parser.add_line(line, number)) return {std::nullopt, std::move(parser.reason)};
    }

    const auto& spans = parser.history.spans();
    if (spans.size() == 1 && child > 1)
        return {std::nullopt, format("it names no parent of timeline {}", child)};
    if (spans.size() > 1 && spans[spans.size() - 2].timeline >= child)
        return {std::nullopt, format("timeline {} cannot be an ancestor of timeline {}",
                                     spans[spans.size() - 2].timeline, child)};
    return {std::move(parser.history), {}};
}

TimelineId TimelineHistory::timeline_at(Lsn lsn) const {
    // A span ends where the next one begins, so the newest that has begun is the one, also when
    // switch points do not ascend.
    auto span = spans_.rbegin();
    while (lsn < span->begin) ++span;  // the oldest begins at 0
    return span->timeline;
}

std::vector<TimelineId> TimelineHistory::timelines_of_segment(std::uint64_t segment_number,
                                                              SegmentSize size) const {
    const Lsn segment_begin{segment_number * size.bytes()};
    std::vector<TimelineId> timelines;
    std::optional<Lsn> left_at;  // by the line of descent: the smallest begin of the younger spans
    for (auto span = spans_.rbegin(); span != spans_.rend(); ++span) {
        const bool has_begun = segment_number_of(span->begin, size) <= segment_number;
        const bool is_left = left_at && (*left_at <= segment_begin || *left_at <= span->begin);
        if (has_begun && !is_left) timelines.push_back(span->timeline);
        left_at = left_at ? std::min(*left_at, span->begin) : span->begin;
    }
    return timelines;
}

bool TimelineHistory::contains(TimelineId timeline) const {
    return std::any_of(spans_.begin(), spans_.end(),
                       [&](const TimelineSpan& span) { return span.timeline == timeline; });
}

std::optional<Lsn> TimelineHistory::switch_point(TimelineId ancestor) const {
    for (const TimelineSpan& span : spans_)
        if (span.timeline == ancestor) return span.end;
    return std::nullopt;
}

}  // namespace walden::wal
