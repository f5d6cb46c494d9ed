#include "wal/record_reader.h"

#include "wal/segment_walker.h"

namespace walden::wal {

std::string_view to_string(EndReason reason) {
    switch (reason) {
        case EndReason::full: return "full";
        case EndReason::switched: return "switched";
        case EndReason::zero_tail: return "zero tail";
        case EndReason::recycled_tail: return "recycled tail";
        case EndReason::damaged: return "damaged";
    }
    return "unknown";
}

SegmentReport read_segment(const SegmentInput& input, RecordVisitor visitor) {
    return SegmentWalker(input, visitor).walk();
}

}  // namespace walden::wal
