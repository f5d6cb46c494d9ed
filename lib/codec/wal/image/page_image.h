// Page images, taken apart: header, line pointers, items, special space.
//
// The layout is that of src/include/storage/bufpage.h, which heap and indexes share. A page that is
// not as expected stays whole, so that nothing depends on what the pages of a relation mean.
#pragma once

#include "codec/wal/container/direction.h"
#include "codec/wal/segment_model.h"

#include <cstddef>
#include <cstdint>

namespace walden::codec::wal_codec {

/// An image in a record: a page of 8 KiB without its hole, which lies between line pointers and
/// items. Without a hole it has not the size that pages have that are taken apart.
struct ImagePlace {
    std::byte* bytes = nullptr;
    std::uint32_t size = 0;
    std::uint32_t hole_offset = 0;
    bool has_hole = false;
};

/// Moves one image between the record and the streams of the content and the relation. False if the
/// streams end or are not what a splitter writes. Touches the image's bytes only.
template <Direction direction>
[[nodiscard]] bool move_image(const ImagePlace& image, CommonStreams& common, Relation& relation);

extern template bool move_image<Direction::split>(const ImagePlace&, CommonStreams&, Relation&);
extern template bool move_image<Direction::join>(const ImagePlace&, CommonStreams&, Relation&);

}  // namespace walden::codec::wal_codec
