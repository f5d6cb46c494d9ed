#include "archive/line_proof.h"

namespace walden::archive {

Continuation prove_continuation(const LineSegment& before, const LineSegment& after,
                                wal::SegmentSize segment_size) {
    const wal::SegmentReport first = wal::read_segment(
        {.bytes = before.bytes, .name = before.name, .segment_size = segment_size});
    if (!first.carry_out || !first.carry_out->partial) return Continuation::unknown;
    const wal::SegmentReport second = wal::read_segment({.bytes = after.bytes,
                                                         .name = after.name,
                                                         .segment_size = segment_size,
                                                         .carry_in = &*first.carry_out});
    return second.is_complete() ? Continuation::proven : Continuation::different;
}

}  // namespace walden::archive
