#include "catalog/stored_lines.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "catalog/histories.h"
#include "wal/number_text.h"

#include <algorithm>
#include <string>

namespace walden::catalog {

namespace {

/// The last segment of one timeline's part of a line, from segment number `from` on.
std::optional<wal::SegmentName> find_span_end(const vault::ClusterVault& vault,
                                              const wal::TimelineSpan& span, wal::SegmentSize size,
                                              std::uint64_t from, std::size_t names_max) {
    const vault::ClusterLayout& layout = vault.layout();
    const std::string before =
        from == 0 ? ""
                  : layout.segment_key(to_string(wal::SegmentName{span.timeline, from - 1}, size));
    std::optional<wal::SegmentName> last;
    std::size_t count = 0;
    vault.storage().list(layout.timeline_prefix(wal::timeline_part(span.timeline)), before,
                         [&](const vault::ObjectInfo& object) {
                             const auto name = wal::parse_segment_name(base_name(object.key), size);
                             // What an old primary wrote behind the switch is of another line.
                             if (name && span.end && first_lsn(*name, size) >= *span.end)
                                 return false;
                             if (name) last = name;
                             return ++count < names_max;
                         });
    return last;
}

bool has_segment(const wal::TimelineHistory& line, const wal::SegmentName& segment,
                 wal::SegmentSize size) {
    const auto timelines = line.timelines_of_segment(segment.segment_number, size);
    return std::find(timelines.begin(), timelines.end(), segment.timeline) != timelines.end();
}

}  // namespace

wal::TimelineHistory read_target_line(const vault::ClusterVault& vault,
                                      std::string_view target_timeline, wal::TimelineId from) {
    wal::TimelineId timeline = from;
    if (target_timeline == "latest") {
        timeline = newest_timeline(from, list_histories(vault, from));
    } else if (target_timeline != "current") {
        timeline = wal::parse_number(target_timeline, 10).value_or(0);
        if (timeline == 0)
            throw Error(ErrorKind::usage, format("\"{}\" is no timeline", target_timeline));
    }
    return read_history(vault, timeline).value_or(wal::TimelineHistory(timeline));
}

std::optional<wal::TimelineHistory> guess_line(const vault::ClusterVault& vault,
                                               const wal::SegmentName& segment,
                                               wal::SegmentSize size) {
    const auto younger = list_histories(vault, segment.timeline);
    std::size_t reads_left = guess_reads_max;
    for (auto timeline = younger.rbegin(); timeline != younger.rend() && reads_left > 0;
         ++timeline, --reads_left) {
        try {
            auto history = read_history(vault, *timeline);
            if (history && has_segment(*history, segment, size)) return history;
        } catch (const Error& error) {
            if (!is_damage(error)) throw;
        }
    }
    return std::nullopt;
}

std::optional<wal::SegmentName> find_line_end(const vault::ClusterVault& vault,
                                              const wal::TimelineHistory& line,
                                              wal::SegmentSize size, std::uint64_t from,
                                              std::size_t names_max) {
    const auto& spans = line.spans();
    for (auto span = spans.rbegin(); span != spans.rend(); ++span)
        if (const auto end = find_span_end(vault, *span, size, from, names_max)) return end;
    return std::nullopt;
}

}  // namespace walden::catalog
