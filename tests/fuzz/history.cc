// Property: a history that parses covers every position with one of its own timelines, and names a
// timeline for each segment around its switch points.
#include "property.h"
#include "wal/timeline_history.h"

#include <algorithm>

using namespace walden;
using namespace walden::wal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView file(reinterpret_cast<const std::byte*>(data), size);
    const TimelineId child = size > 0 && data[0] == '#' ? 1000 : 4;
    const HistoryResult result = parse_timeline_history(file, child);
    require_property(result.history.has_value() == result.reason.empty(), "a refusal has a reason");
    if (!result.history) return 0;
    const TimelineHistory& history = *result.history;
    require_property(history.timeline() == child, "the history is the child's");
    require_property(history.spans().size() <= size / 5 + 1, "spans are bounded by the input");
    TimelineId last = 0;
    for (const TimelineSpan& span : history.spans()) {
        require_property(span.timeline > last, "timelines ascend");
        last = span.timeline;
        for (const std::uint64_t distance : {std::uint64_t{0}, std::uint64_t{1}}) {
            const Lsn lsn{span.begin.value - std::min(distance, span.begin.value)};
            const TimelineId owner = history.timeline_at(lsn);
            require_property(history.contains(owner), "a position belongs to the line");
            const auto timelines = history.timelines_of_segment(segment_number_of(lsn, {}), {});
            require_property(
                std::find(timelines.begin(), timelines.end(), owner) != timelines.end(),
                "a segment may be found under the timeline of each of its bytes");
        }
    }
    return 0;
}
