#include "recovery/stored_lines.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "wal/number_text.h"

#include <algorithm>
#include <string>

namespace walden::recovery {

namespace {

/// The last segment of one timeline's part of a line, from segment number `from` on.
std::optional<wal::SegmentName> find_span_end(const vault::ClusterVault& vault,
                                              const wal::TimelineSpan& span, wal::SegmentSize size,
                                              std::uint64_t from) {
    const vault::ClusterLayout& layout = vault.layout();
    const std::string before =
        from == 0 ? ""
                  : layout.segment_key(to_string(wal::SegmentName{span.timeline, from - 1}, size));
    std::optional<wal::SegmentName> last;
    vault.storage().list(layout.timeline_prefix(wal::timeline_part(span.timeline)), before,
                         [&](const vault::ObjectInfo& object) {
                             const auto name = wal::parse_segment_name(base_name(object.key), size);
                             // What an old primary wrote behind the switch is of another line.
                             if (name && span.end && first_lsn(*name, size) >= *span.end)
                                 return false;
                             if (name) last = name;
                             return true;
                         });
    return last;
}

bool has_segment(const wal::TimelineHistory& line, const wal::SegmentName& segment,
                 wal::SegmentSize size) {
    const auto timelines = line.timelines_of_segment(segment.segment_number, size);
    return std::find(timelines.begin(), timelines.end(), segment.timeline) != timelines.end();
}

}  // namespace

std::vector<wal::TimelineId> list_histories(const vault::ClusterVault& vault,
                                            wal::TimelineId above) {
    const vault::ClusterLayout& layout = vault.layout();
    const std::string after =
        above == 0 ? "" : layout.history_key(wal::timeline_part(above) + ".history");
    std::vector<wal::TimelineId> timelines;
    vault.storage().list(layout.history_prefix(), after, [&](const vault::ObjectInfo& object) {
        const auto name = wal::parse_wal_file_name(base_name(object.key));
        if (name && name->kind == wal::WalFileKind::history) timelines.push_back(name->timeline);
        return true;
    });
    return timelines;
}

std::optional<wal::TimelineHistory> read_history(const vault::ClusterVault& vault,
                                                 wal::TimelineId timeline) {
    const std::string key = vault.layout().history_key(wal::timeline_part(timeline) + ".history");
    const auto stored = vault.entries().find(key);
    if (!stored) return std::nullopt;
    Bytes bytes;
    vault.contents().read(stored->entry, bytes);
    auto parsed = wal::parse_timeline_history(bytes, timeline);
    if (!parsed.history)
        throw Error(ErrorKind::corrupt,
                    format("timeline history \"{}\" is malformed: {}", key, parsed.reason));
    return std::move(parsed.history);
}

wal::TimelineHistory read_target_line(const vault::ClusterVault& vault,
                                      std::string_view target_timeline, wal::TimelineId from) {
    wal::TimelineId timeline = from;
    if (target_timeline == "latest") {
        // The last with consecutive numbers (findNewestTimeLine in timeline.c).
        for (const wal::TimelineId known : list_histories(vault, from))
            if (known == timeline + 1) timeline = known;
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
                                              wal::SegmentSize size, std::uint64_t from) {
    const auto& spans = line.spans();
    for (auto span = spans.rbegin(); span != spans.rend(); ++span)
        if (const auto end = find_span_end(vault, *span, size, from)) return end;
    return std::nullopt;
}

}  // namespace walden::recovery
