#include "codec/wal/page_image.h"

namespace walden::codec::wal_codec {

template <Direction direction>
bool move_image(const ImagePlace& image, CommonStreams& common, Relation& relation) {
    (void)relation;
    std::uint8_t code = 0;
    if (!move_flag<direction>(common.page_codes, code) || code != 0) return false;
    return move_exactly<direction>(common.whole_images, image.bytes, image.size);
}

template bool move_image<Direction::split>(const ImagePlace&, CommonStreams&, Relation&);
template bool move_image<Direction::join>(const ImagePlace&, CommonStreams&, Relation&);

}  // namespace walden::codec::wal_codec
