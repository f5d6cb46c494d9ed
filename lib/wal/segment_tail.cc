#include "wal/segment_tail.h"

#include "base/format.h"
#include "wal/page_header.h"

#include <algorithm>
#include <optional>

namespace walden::wal {

namespace {

enum class PageKind : std::uint8_t { zeros, current, stale, noise };

PageKind kind_of_page(const StoppedWalk& walk, std::uint32_t offset) {
    const ByteView page = walk.segment.subspan(offset, walk.page_size);
    const PageHeader header = load_page_header(page.data());
    const bool is_page = header.magic == walk.magic && (header.flags & ~all_page_flags) == 0;
    if (is_page && header.address == walk.address + offset && header.timeline >= walk.timeline &&
        header.timeline <= walk.timeline_max)
        return PageKind::current;
    const bool same_place = header.address.value % walk.segment.size() == offset;
    if (is_page && same_place && header.timeline <= walk.timeline_max && header.timeline != 0)
        return PageKind::stale;
    return is_zero(page) ? PageKind::zeros : PageKind::noise;
}

}  // namespace

TailVerdict judge_tail(const StoppedWalk& walk) {
    bool any_stale = false;
    std::optional<std::uint32_t> noise;
    for (std::uint32_t at = walk.first_unread_page; at < walk.segment.size();
         at += walk.page_size) {
        switch (kind_of_page(walk, at)) {
            case PageKind::current:
                return {TailKind::damaged,
                        format("page {} of the same WAL follows", to_string(walk.address + at))};
            case PageKind::stale: any_stale = true; break;
            case PageKind::noise:
                if (!noise) noise = at;
                break;
            case PageKind::zeros: break;
        }
    }
    if (noise)
        return {TailKind::damaged, format("page {} is neither zeros nor left from an older segment",
                                          to_string(walk.address + *noise))};

    const ByteView rest_of_page =
        walk.segment.subspan(walk.stopped_at, walk.first_unread_page - walk.stopped_at);
    if (is_zero(rest_of_page)) return {any_stale ? TailKind::recycled : TailKind::zeros, {}};
    if (walk.record == StoppedRecord::linked)
        return {TailKind::damaged, "the record is linked to the one before"};
    if (any_stale) return {TailKind::recycled, {}};
    return {TailKind::damaged, "bytes that are not zero follow"};
}

}  // namespace walden::wal
