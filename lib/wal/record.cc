#include "wal/record.h"

#include "base/hash.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace walden::wal {

namespace {

// Ids that stand where a block reference could (xlogrecord.h, XLR_BLOCK_ID_*).
constexpr std::uint8_t main_data_short = 255;
constexpr std::uint8_t main_data_long = 254;
constexpr std::uint8_t origin = 253;
constexpr std::uint8_t top_level_xid = 252;

}  // namespace

ByteView main_data_of(ByteView head) {
    if (head.size() < record_header_size) return {};
    ByteReader reader(head.subspan(record_header_size));
    while (reader.remaining() > 0) {
        const auto id = reader.read<std::uint8_t>();
        if (id == origin) {
            reader.read<std::uint16_t>();
        } else if (id == top_level_xid) {
            reader.read<std::uint32_t>();
        } else if (id == main_data_short || id == main_data_long) {
            const std::size_t size =
                id == main_data_short ? reader.read<std::uint8_t>() : reader.read<std::uint32_t>();
            return reader.read_bytes(std::min(size, reader.remaining()));
        } else {
            return {};
        }
    }
    return {};
}

PartialRecord PartialRecord::begin(Lsn start, std::uint32_t total_length) {
    return {.start = start, .missing = total_length, .crc = crc32c_start};
}

void PartialRecord::feed(ByteView piece) {
    assert(piece.size() <= missing);
    missing -= static_cast<std::uint32_t>(piece.size());
    if (!is_known()) return;
    if (present < head.size())
        std::memcpy(head.data() + present, piece.data(),
                    std::min(piece.size(), head.size() - present));
    const std::size_t of_header = std::min<std::size_t>(
        piece.size(), present < record_header_size ? record_header_size - present : 0);
    crc = crc32c_update(crc, piece.subspan(of_header));
    present += static_cast<std::uint32_t>(piece.size());
}

std::optional<Lsn> PartialRecord::previous() const {
    if (present < 16) return std::nullopt;
    return Lsn{load_le<std::uint64_t>(head.data() + 8)};
}

std::uint32_t PartialRecord::computed_crc() const {
    assert(missing == 0 && present >= record_header_size);
    return crc32c_finish(crc32c_update(crc, ByteView(head).first(record_crc_offset)));
}

}  // namespace walden::wal
