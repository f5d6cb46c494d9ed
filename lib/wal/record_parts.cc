#include "wal/record_parts.h"

#include <algorithm>

namespace walden::wal {

namespace {

constexpr std::uint8_t block_id_max = 32;
constexpr std::uint8_t top_xid_id = 252;
constexpr std::uint8_t origin_id = 253;
constexpr std::uint8_t long_main_id = 254;
constexpr std::uint8_t short_main_id = 255;

constexpr std::uint8_t fork_mask = 0x0F;
constexpr std::uint8_t has_image_flag = 0x10;
constexpr std::uint8_t has_data_flag = 0x20;
constexpr std::uint8_t same_relation_flag = 0x80;
constexpr std::uint8_t image_has_hole = 1;

class PartsReader {
public:
    PartsReader(ByteView begin, std::uint32_t total_length, const WalVersion& version,
                RecordParts& parts)
        : at_(begin.data() + record_header_size),
          end_(begin.data() + begin.size()),
          rest_(total_length - record_header_size),
          version_(version),
          parts_(parts) {}

    PartsState read(std::uint32_t total_length) {
        // As PostgreSQL does: the header ends where the rest is as long as what it announced.
        while (rest_ > payload_)
            if (!read_piece()) return state_;
        if (rest_ != payload_) return PartsState::malformed;
        std::uint32_t offset = total_length - rest_;
        for (std::size_t i = 0; i < parts_.block_count; ++i) {
            parts_.blocks[i].data_offset = offset + image_lengths_[i];
            offset += image_lengths_[i] + std::uint32_t{parts_.blocks[i].data_length};
        }
        parts_.main_offset = offset;
        return PartsState::whole;
    }

private:
    /// Whether `size` bytes of header can be taken; else state_ says why not.
    bool require(std::uint32_t size) {
        if (size > rest_) {
            state_ = PartsState::malformed;
            return false;
        }
        if (static_cast<std::size_t>(end_ - at_) >= size) return true;
        state_ = PartsState::cut;
        return false;
    }

    void take(std::uint32_t size) {
        at_ += size;
        rest_ -= size;
    }

    bool refuse() {
        state_ = PartsState::malformed;
        return false;
    }

    bool read_piece() {
        if (!require(1)) return false;
        // The main data is the last piece.
        if (has_main_) return refuse();
        const auto id = static_cast<std::uint8_t>(*at_);
        if (id <= block_id_max) return read_block(id);
        switch (id) {
            case short_main_id:
                if (!require(2)) return false;
                take_main_length(static_cast<std::uint8_t>(at_[1]), 2);
                return true;
            case long_main_id:
                if (!require(5)) return false;
                take_main_length(load_le<std::uint32_t>(at_ + 1), 5);
                return true;
            case origin_id:
                if (!require(3)) return false;
                take(3);
                return true;
            case top_xid_id:
                if (!version_.has_top_level_xid) return refuse();
                if (!require(5)) return false;
                parts_.top_xid = load_le<std::uint32_t>(at_ + 1);
                take(5);
                return true;
            default: return refuse();
        }
    }

    void take_main_length(std::uint32_t length, std::uint32_t size) {
        parts_.main_length = length;
        has_main_ = true;
        payload_ += length;
        take(size);
    }

    bool read_block(std::uint8_t id) {
        if (id <= last_id_) return refuse();  // they ascend
        if (!require(4)) return false;
        const auto flags = static_cast<std::uint8_t>(at_[1]);
        BlockPart& block = parts_.blocks[parts_.block_count];
        block.id = id;
        block.data_length = load_le<std::uint16_t>(at_ + 2);
        block.has_image = (flags & has_image_flag) != 0;
        if (((flags & has_data_flag) != 0) != (block.data_length != 0)) return refuse();
        if ((flags & fork_mask) > fork_max) return refuse();
        take(4);
        std::uint32_t image_length = 0;
        if (block.has_image && !read_image(image_length)) return false;
        if ((flags & same_relation_flag) == 0) {
            if (!require(12)) return false;
            relation_.tablespace = load_le<std::uint32_t>(at_);
            relation_.database = load_le<std::uint32_t>(at_ + 4);
            relation_.relation = load_le<std::uint32_t>(at_ + 8);
            has_relation_ = true;
            take(12);
        }
        if (!has_relation_) return refuse();
        if (!require(4)) return false;
        relation_.fork = flags & fork_mask;
        block.relation = relation_;
        block.number = load_le<std::uint32_t>(at_);
        take(4);
        payload_ += std::uint64_t{block.data_length} + image_length;
        image_lengths_[parts_.block_count] = image_length;
        last_id_ = id;
        ++parts_.block_count;
        return true;
    }

    bool read_image(std::uint32_t& length) {
        if (!require(5)) return false;
        length = load_le<std::uint16_t>(at_);
        const auto image_flags = static_cast<std::uint8_t>(at_[4]);
        take(5);
        const bool is_packed = (image_flags & version_.image_compressed) != 0;
        if (!is_packed || (image_flags & image_has_hole) == 0) return true;
        if (!require(2)) return false;
        take(2);
        return true;
    }

    const std::byte* at_;
    const std::byte* const end_;
    std::uint32_t rest_;  ///< of the record, behind at_
    const WalVersion& version_;
    RecordParts& parts_;
    std::array<std::uint32_t, record_blocks_max> image_lengths_;  // NOLINT: set with each block
    RelationFork relation_;
    std::uint64_t payload_ = 0;
    int last_id_ = -1;
    bool has_relation_ = false;
    bool has_main_ = false;
    PartsState state_ = PartsState::malformed;
};

}  // namespace

PartsState read_record_parts(ByteView begin, std::uint32_t total_length, const WalVersion& version,
                             RecordParts& parts) {
    parts.block_count = 0;
    parts.top_xid = 0;
    parts.main_length = 0;
    parts.main_offset = 0;
    if (total_length < record_header_size) return PartsState::malformed;
    if (begin.size() < record_header_size) return PartsState::cut;
    begin = begin.first(std::min<std::size_t>({begin.size(), total_length, record_parts_size_max}));
    return PartsReader(begin, total_length, version, parts).read(total_length);
}

ByteView bytes_of_pieces(std::span<const ByteView> pieces, std::size_t offset, std::size_t size,
                         Bytes& scratch) {
    while (!pieces.empty() && offset >= pieces.front().size()) {
        offset -= pieces.front().size();
        pieces = pieces.subspan(1);
    }
    if (pieces.empty() || size == 0) return {};
    const ByteView first = pieces.front().subspan(offset);
    if (first.size() >= size || pieces.size() == 1)
        return first.first(std::min(size, first.size()));
    scratch.clear();
    append(scratch, first);
    for (const ByteView piece : pieces.subspan(1)) {
        if (scratch.size() == size) break;
        append(scratch, piece.first(std::min(piece.size(), size - scratch.size())));
    }
    return scratch;
}

}  // namespace walden::wal
