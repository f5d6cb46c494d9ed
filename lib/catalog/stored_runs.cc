#include "catalog/stored_runs.h"

#include "base/file.h"
#include "catalog/histories.h"

namespace walden::catalog {

namespace {

/// Takes ascending numbers.
void add_number(std::vector<SegmentRun>& runs, std::uint64_t number) {
    if (!runs.empty() && runs.back().last + 1 == number)
        runs.back().last = number;
    else
        runs.push_back({.first = number, .last = number});
}

constexpr std::size_t segment_name_size = 24;

}  // namespace

Histories read_histories(const vault::ClusterVault& vault) {
    Histories histories;
    for (const wal::TimelineId timeline : list_histories(vault))
        if (auto history = read_history(vault, timeline))
            histories.emplace(timeline, std::move(*history));
    return histories;
}

RunsByTimeline list_line_runs(const vault::ClusterVault& vault, const wal::TimelineHistory& line,
                              std::uint64_t from, wal::SegmentSize size) {
    RunsByTimeline runs;
    for (const wal::TimelineSpan& span : line.spans()) {
        const auto part = part_of_line(line, span.timeline, size);
        if (!part || part->last < from) continue;
        // A listing begins behind a key: the one before the first that is wanted.
        const std::uint64_t first = std::max(from, part->first);
        const std::string after = first == 0
                                      ? std::string()
                                      : vault.layout().segment_key(to_string(
                                            wal::SegmentName{span.timeline, first - 1}, size));
        const std::string prefix =
            vault.layout().timeline_prefix(wal::timeline_part(span.timeline));
        vault.storage().list(prefix, after, [&](const vault::ObjectInfo& info) {
            const auto name = wal::parse_segment_name(base_name(info.key), size);
            if (!name || name->timeline != span.timeline) return true;
            if (name->segment_number > part->last) return false;
            add_number(runs[span.timeline], name->segment_number);
            return true;
        });
    }
    return runs;
}

RunsByTimeline list_runs(const vault::ClusterVault& vault, wal::SegmentSize size) {
    RunsByTimeline runs;
    vault.storage().list(vault.layout().wal_prefix(), "", [&](const vault::ObjectInfo& info) {
        if (const auto name = wal::parse_segment_name(base_name(info.key), size))
            add_number(runs[name->timeline], name->segment_number);
        return true;
    });
    return runs;
}

std::vector<std::string> list_damaged_segments(const vault::ClusterVault& vault) {
    std::vector<std::string> names;
    vault.storage().list(vault.layout().damaged_prefix(), "", [&](const vault::ObjectInfo& info) {
        names.push_back(base_name(info.key).substr(0, segment_name_size));
        return true;
    });
    return names;
}

}  // namespace walden::catalog
