#include "codec/wal/record/header_shape.h"

#include "wal/record.h"

namespace walden::codec::wal_codec {

namespace {

constexpr std::uint8_t block_id_max = 32;
constexpr std::uint8_t top_xid_id = 252;
constexpr std::uint8_t origin_id = 253;
constexpr std::uint8_t long_main_id = 254;
constexpr std::uint8_t short_main_id = 255;

class ShapeReader {
public:
    ShapeReader(ByteView record, const wal::WalVersion& version, HeaderShape& shape)
        : record_(record), version_(version), shape_(shape) {}

    bool read() {
        shape_.block_count = 0;
        shape_.main_length_width = 0;
        shape_.main_length_at = 0;
        shape_.top_xid_at = 0;
        // As PostgreSQL does: the header ends where the rest is as long as what it announced.
        while (rest() > payload_)
            if (!read_piece(byte_at(at_))) return false;
        shape_.size = static_cast<std::uint16_t>(at_);
        return rest() == payload_;
    }

private:
    [[nodiscard]] std::size_t rest() const { return record_.size() - at_; }

    [[nodiscard]] std::uint8_t byte_at(std::size_t at) const {
        return static_cast<std::uint8_t>(record_.data()[at]);
    }

    [[nodiscard]] std::uint16_t number_at(std::size_t at) const {
        return load_le<std::uint16_t>(record_.data() + at);
    }

    /// The offset of `size` bytes of the header, which are passed; 0 if there are not as many.
    std::uint16_t pass(std::size_t size) {
        if (rest() < size || at_ + size > header_size_max) return 0;
        const std::size_t passed = at_;
        at_ += size;
        return static_cast<std::uint16_t>(passed);
    }

    bool read_piece(std::uint8_t id) {
        // The main data is the last piece.
        if (shape_.main_length_width != 0) return false;
        if (id <= block_id_max) return read_block(id);
        switch (id) {
            case short_main_id: return read_main_length(1);
            case long_main_id: return read_main_length(4);
            case origin_id: return pass(3) != 0;
            case top_xid_id: {
                const std::uint16_t at = pass(5);
                if (at == 0 || !version_.has_top_level_xid || shape_.top_xid_at != 0) return false;
                shape_.top_xid_at = static_cast<std::uint16_t>(at + 1);
                return true;
            }
            default: return false;
        }
    }

    bool read_main_length(std::uint8_t width) {
        const std::uint16_t at = pass(std::size_t{1} + width);
        if (at == 0) return false;
        shape_.main_length_at = static_cast<std::uint16_t>(at + 1);
        shape_.main_length_width = width;
        payload_ += width == 1 ? byte_at(at + std::size_t{1})
                               : load_le<std::uint32_t>(record_.data() + at + 1);
        return true;
    }

    bool read_block(std::uint8_t id) {
        // Ids ascend, so there are at most as many blocks as ids.
        if (id <= last_id_) return false;
        last_id_ = id;
        BlockShape& block = shape_.blocks[shape_.block_count++];
        block = {};
        block.id = id;
        const std::uint16_t at = pass(4);
        if (at == 0) return false;
        block.flags = byte_at(at + std::size_t{1});
        const std::uint16_t data_length = number_at(at + std::size_t{2});
        if ((block.flags & has_data) != 0)
            block.data_length_at = static_cast<std::uint16_t>(at + 2);
        else if (data_length != 0)
            return false;
        payload_ += data_length;
        if ((block.flags & has_image) != 0 && !read_image(block)) return false;
        if ((block.flags & same_relation) == 0) relation_at_ = pass(relation_size);
        if (relation_at_ == 0) return false;
        block.relation_at = relation_at_;
        block.block_number_at = pass(4);
        return block.block_number_at != 0;
    }

    bool read_image(BlockShape& block) {
        const std::uint16_t at = pass(5);
        if (at == 0) return false;
        block.image_length_at = at;
        block.hole_offset_at = static_cast<std::uint16_t>(at + 2);
        block.image_flags = byte_at(at + std::size_t{4});
        block.is_image_packed = (block.image_flags & version_.image_compressed) != 0;
        payload_ += number_at(at);
        if (!block.is_image_packed || (block.image_flags & image_has_hole) == 0) return true;
        block.hole_length_at = pass(2);
        return block.hole_length_at != 0;
    }

    ByteView record_;
    const wal::WalVersion& version_;
    HeaderShape& shape_;
    std::size_t at_ = wal::record_header_size;
    std::uint64_t payload_ = 0;
    int last_id_ = -1;
    std::uint16_t relation_at_ = 0;
};

}  // namespace

bool read_header_shape(ByteView record, const wal::WalVersion& version, HeaderShape& shape) {
    return ShapeReader(record, version, shape).read();
}

}  // namespace walden::codec::wal_codec
