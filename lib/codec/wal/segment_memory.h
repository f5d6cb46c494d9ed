// What splitting and joining one content needs the most memory for.
#pragma once

#include "codec/wal/linear_content.h"
#include "codec/wal/segment_model.h"

namespace walden::codec::wal_codec {

struct SegmentMemory {
    SegmentModel model;
    LinearContent linear;
};

}  // namespace walden::codec::wal_codec
