#include "codec/wal/multi_insert.h"

namespace walden::codec::wal_codec {

template <Direction direction>
bool move_inserted_rows(std::byte* data, std::uint32_t size, std::uint32_t row_count,
                        CommonStreams& common, Relation& relation) {
    (void)row_count;
    std::uint8_t code = 0;
    if (!move_flag<direction>(common.insert_codes, code) || code != 0) return false;
    Stream& whole = relation.has_own_streams ? *relation.data : common.rare_data;
    return move_exactly<direction>(whole, data, size);
}

template bool move_inserted_rows<Direction::split>(std::byte*, std::uint32_t, std::uint32_t,
                                                   CommonStreams&, Relation&);
template bool move_inserted_rows<Direction::join>(std::byte*, std::uint32_t, std::uint32_t,
                                                  CommonStreams&, Relation&);

}  // namespace walden::codec::wal_codec
