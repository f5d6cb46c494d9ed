// The directory of a split content: everything that a joiner must know before it can take the first
// byte from a stream. The layout is in codec/wal/FORMAT.md.
#pragma once

#include "base/bytes.h"
#include "codec/wal/segment_model.h"

#include <cstddef>

namespace walden::codec::wal_codec {

/// Appends the directory of a model whose streams are complete. The model does not change.
void write_directory(SegmentModel& model, Bytes& out);

/// Fills a cleared model from a directory, which may be hostile, and decides its layouts. The
/// content is `plain_size` bytes. Throws Error(corrupt) if it is not as a splitter writes it.
void read_directory(ByteView directory, std::size_t plain_size, SegmentModel& model);

}  // namespace walden::codec::wal_codec
