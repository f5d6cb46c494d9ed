// The rows of a multi-insert (COPY), taken apart.
//
// xl_multi_insert_tuple, src/include/access/heapam_xlog.h: size of the row's data (2), infomask2
// (2), infomask (2), offset of the data (1), then the data; each begins at an even offset.
#pragma once

#include "codec/wal/container/direction.h"
#include "codec/wal/segment_model.h"

#include <cstddef>
#include <cstdint>

namespace walden::codec::wal_codec {

/// Moves `size` bytes of block data with `row_count` rows. Rows that are not as expected stay as
/// they are. False if the streams end or are not what a splitter writes. Touches these bytes only.
template <Direction direction>
[[nodiscard]] bool move_inserted_rows(std::byte* data, std::uint32_t size, std::uint32_t row_count,
                                      CommonStreams& common, Relation& relation);

extern template bool move_inserted_rows<Direction::split>(std::byte*, std::uint32_t, std::uint32_t,
                                                          CommonStreams&, Relation&);
extern template bool move_inserted_rows<Direction::join>(std::byte*, std::uint32_t, std::uint32_t,
                                                         CommonStreams&, Relation&);

}  // namespace walden::codec::wal_codec
