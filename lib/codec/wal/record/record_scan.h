// The first pass over a content: pages become one run of bytes, every record is checked, and its
// template is found.
#pragma once

#include "codec/wal/linear_content.h"
#include "codec/wal/record/template_finder.h"
#include "codec/wal/segment_model.h"
#include "codec/wal/segment_split.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace walden::codec::wal_codec {

/// A whole record: where it is in the linear content, and its template.
struct RecordPlace {
    std::uint32_t offset = 0;
    std::uint32_t template_index = 0;
};

using RecordPlaces = std::vector<RecordPlace, UninitializedAllocator<RecordPlace>>;

/// Scans `content`, with or without its records' CRCs, and fills the model, the linear content and
/// the records, all of which must be cleared. `none` if there is something to split; the model then
/// has everything but layouts, and the streams of transactions, templates, head, cut and tail are
/// written.
[[nodiscard]] PlainReason scan_records(ByteView content, RecordCrcs crcs, SegmentModel& model,
                                       TemplateFinder& templates, LinearContent& linear,
                                       RecordPlaces& records);

}  // namespace walden::codec::wal_codec
