#include "support/wal_records.h"

#include "wal/page_header.h"

#include <algorithm>
#include <cassert>

namespace walden::test {

namespace {

/// xorshift32: the same numbers on every machine.
class Numbers {
public:
    explicit Numbers(std::uint32_t seed) : state_(seed * 2 + 1) {}

    std::uint32_t next() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 17;
        state_ ^= state_ << 5;
        return state_;
    }

    /// 0 to `end` - 1.
    std::uint32_t below(std::uint32_t end) { return next() % end; }

    Bytes bytes(std::size_t size) {
        Bytes made(size);
        for (std::byte& b : made) b = static_cast<std::byte>(next() >> 13 & 0xFF);
        return made;
    }

private:
    std::uint32_t state_;
};

template <class... Fields>
Bytes fields(Fields... values) {
    Bytes made;
    ByteWriter writer(made);
    (writer.write(values), ...);
    return made;
}

/// The writer of make_sample_records(): what a few transactions do, by turns.
class SampleWriter {
public:
    SampleWriter(std::uint32_t seed, const wal::WalVersion& version)
        : numbers_(seed), version_(version) {}

    void write(std::vector<SampleRecord>& out) {
        const std::uint32_t xid = 70'000 + sequence_ / 8 + numbers_.below(3);
        ++sequence_;
        switch (numbers_.below(12)) {
            case 0:
            case 1:
            case 2: insert(out, xid); break;
            case 3:
            case 4: update(out, xid); break;
            case 5:
                out.push_back(
                    {{1, 0, xid},
                     RecordBody().main(fields(std::uint64_t{5} << 40 | sequence_)).bytes()});
                break;
            case 6: update_with_old_row(out, xid); break;
            case 7: multi_insert(out, xid); break;
            case 8: page_image(out, xid); break;
            case 9: several_blocks(out, xid); break;
            case 10: odd_headers(out, xid); break;
            default: insert(out, xid); break;
        }
    }

private:
    [[nodiscard]] RelationFile table() { return {1663, 5, 16'384 + numbers_.below(2)}; }

    [[nodiscard]] static RelationFile index_of(const RelationFile& table) {
        return {table.tablespace, table.database, table.file + 100};
    }

    /// xl_heap_header and columns, the first of which is a key.
    Bytes tuple(std::uint32_t key) {
        Bytes made = fields(std::uint16_t{4}, std::uint16_t{0x802}, std::uint8_t{24},
                            std::uint8_t{0}, key, key * 7);
        append(made, numbers_.bytes(numbers_.below(4) == 0 ? 90 : numbers_.below(40)));
        return made;
    }

    void insert(std::vector<SampleRecord>& out, std::uint32_t xid) {
        const RelationFile relation = table();
        const std::uint32_t key = 1'000'000 + sequence_;
        block_ += numbers_.below(8) == 0 ? 1U : 0U;
        offset_ = static_cast<std::uint16_t>(1 + (offset_ + 1) % 60);
        out.push_back({{10, 0, xid},
                       RecordBody()
                           .block(0, relation, block_)
                           .data(tuple(key))
                           .main(fields(offset_, std::uint8_t{8}))
                           .bytes()});
        // Its index entry: place of the row, size, key.
        Bytes entry = fields(static_cast<std::uint16_t>(block_ >> 16),
                             static_cast<std::uint16_t>(block_ & 0xFFFF), offset_,
                             std::uint16_t{16}, key, std::uint32_t{0});
        out.push_back({{11, 0, xid},
                       RecordBody()
                           .block(0, index_of(relation), numbers_.below(50))
                           .data(entry)
                           .main(fields(static_cast<std::uint16_t>(numbers_.below(300))))
                           .bytes()});
    }

    void update(std::vector<SampleRecord>& out, std::uint32_t xid) {
        Bytes main = fields(xid, std::uint16_t{3}, std::uint8_t{0x11}, std::uint8_t{0x10},
                            std::uint32_t{0}, offset_);
        out.push_back({{10, 0x40, xid},
                       RecordBody()
                           .block(0, table(), numbers_.below(900))
                           .data(tuple(numbers_.next()))
                           .main(main)
                           .bytes()});
    }

    void update_with_old_row(std::vector<SampleRecord>& out, std::uint32_t xid) {
        const RelationFile relation = table();
        const Bytes row = tuple(2'000'000 + sequence_);
        Bytes main = fields(xid, std::uint16_t{3}, std::uint8_t{0x11}, std::uint8_t{0x04},
                            std::uint32_t{0}, offset_);
        append(main, row);
        out.push_back({{10, 0x20, xid},
                       RecordBody()
                           .block(0, relation, block_)
                           .data(row)
                           .block(1, relation, block_ + 1)
                           .main(main)
                           .bytes()});
    }

    void multi_insert(std::vector<SampleRecord>& out, std::uint32_t xid) {
        const auto count = static_cast<std::uint16_t>(2 + numbers_.below(30));
        const bool has_fixed_rows = numbers_.below(2) == 0;
        Bytes data;
        for (std::uint16_t i = 0; i < count; ++i) {
            if (data.size() % 2 != 0) data.push_back(std::byte{0});
            const auto size =
                static_cast<std::uint16_t>(has_fixed_rows ? 37 : 20 + numbers_.below(60));
            append(data, fields(size, std::uint16_t{4}, std::uint16_t{0x902}, std::uint8_t{24}));
            append(data, numbers_.bytes(size));
        }
        Bytes main = fields(std::uint8_t{0}, std::uint8_t{0}, count);
        for (std::uint16_t i = 0; i < count; ++i)
            append(main, fields(static_cast<std::uint16_t>(i + 1)));
        out.push_back(
            {{9, 0x50, xid},
             RecordBody().block(0, {1663, 5, 16'390}, block_).data(data).main(main).bytes()});
    }

    [[nodiscard]] Image image() {
        std::vector<std::uint32_t> sizes;
        const std::uint32_t kind = numbers_.below(5);
        const std::uint32_t count = 1 + numbers_.below(60);
        for (std::uint32_t i = 0; i < count; ++i)
            sizes.push_back(kind == 0 ? 64 : numbers_.below(10) == 0 ? 0 : 30 + numbers_.below(60));
        const std::uint32_t special = kind == 1 ? 16 : kind == 2 ? 8 : kind == 3 ? 24 : 0;
        Image made = make_page_image(sizes, special, numbers_.next(),
                                     static_cast<std::uint8_t>(1 | version_.image_applies));
        if (kind == 4 && numbers_.below(2) == 0) {
            // Not a packed page: nobody unpacks it here.
            made.bytes.resize(made.bytes.size() / 2 + 1);
            const unsigned packed = version_.image_compressed & (0U - version_.image_compressed);
            made.flags = static_cast<std::uint8_t>(made.flags | packed);
            made.has_hole_length = true;
            made.hole_length = 4000;
        }
        return made;
    }

    void page_image(std::vector<SampleRecord>& out, std::uint32_t xid) {
        const bool is_main_fork = numbers_.below(5) != 0;
        out.push_back({{0, 0xB0, xid},
                       RecordBody()
                           .block(0, {1663, 5, 16'400 + numbers_.below(3)}, numbers_.below(9000),
                                  is_main_fork ? 0 : 1)
                           .image(image())
                           .bytes()});
    }

    void several_blocks(std::vector<SampleRecord>& out, std::uint32_t xid) {
        RecordBody body;
        const RelationFile relation = index_of(table());
        const auto count = static_cast<std::uint8_t>(2 + numbers_.below(3));
        for (std::uint8_t id = 0; id < count; ++id) {
            body.block(id, relation, numbers_.below(70'000));
            if (numbers_.below(3) == 0) body.image(image());
            if (numbers_.below(2) == 0) body.data(numbers_.bytes(1 + numbers_.below(300)));
        }
        out.push_back({{11, 0x30, xid},
                       body.main(numbers_.bytes(numbers_.below(2) == 0 ? 12 : 300)).bytes()});
    }

    void odd_headers(std::vector<SampleRecord>& out, std::uint32_t xid) {
        RecordBody body;
        body.origin(3);
        if (version_.has_top_level_xid) body.top_xid(xid - 5);
        const std::uint8_t manager = version_.has_custom_resource_managers ? 130 : 21;
        out.push_back(
            {{manager, 0x10, xid}, body.main(numbers_.bytes(numbers_.below(90))).bytes()});
        // Nobody understands this one.
        Bytes noise = numbers_.bytes(numbers_.below(50));
        noise.insert(noise.begin(), std::byte{77});
        out.push_back({{19, 0x10, 0}, noise});
    }

    Numbers numbers_;
    const wal::WalVersion& version_;
    std::uint32_t sequence_ = 0;
    std::uint32_t block_ = 40;
    std::uint16_t offset_ = 1;
};

}  // namespace

Image make_page_image(const std::vector<std::uint32_t>& item_sizes, std::uint32_t special_size,
                      std::uint32_t seed, std::uint8_t flags) {
    constexpr std::uint32_t page_size = 8192;
    Numbers numbers(seed);
    Bytes page = numbers.bytes(page_size);
    const auto lower = static_cast<std::uint16_t>(24 + 4 * item_sizes.size());
    std::uint32_t upper = page_size - special_size;
    for (std::size_t i = 0; i < item_sizes.size(); ++i) {
        const std::uint32_t padded = (item_sizes[i] + 7) & ~7U;
        upper -= padded;
        const std::uint32_t pointer =
            item_sizes[i] == 0 ? 0 : upper | 1U << 15 | item_sizes[i] << 17;
        store_le<std::uint32_t>(&page[24 + 4 * i], pointer);
        // Rows of a table look alike.
        for (std::uint32_t at = 0; at + 24 < padded; ++at)
            page[upper + at] = static_cast<std::byte>(at);
    }
    assert(upper >= lower);
    store_le<std::uint16_t>(&page[12], lower);
    store_le<std::uint16_t>(&page[14], static_cast<std::uint16_t>(upper));
    store_le<std::uint16_t>(&page[16], static_cast<std::uint16_t>(page_size - special_size));
    store_le<std::uint16_t>(&page[18], page_size | 4);
    Image made{.bytes = {}, .hole_offset = lower, .flags = flags};
    append(made.bytes, ByteView(page).first(lower));
    append(made.bytes, ByteView(page).subspan(upper));
    return made;
}

RecordBody& RecordBody::block(std::uint8_t id, const RelationFile& relation, std::uint32_t number,
                              std::uint8_t fork) {
    blocks_.push_back(
        {.id = id, .fork = fork, .relation = relation, .number = number, .image = {}, .data = {}});
    return *this;
}

RecordBody& RecordBody::image(const Image& image) {
    blocks_.back().image = {image};
    return *this;
}

RecordBody& RecordBody::data(ByteView data) {
    append(blocks_.back().data, data);
    return *this;
}

RecordBody& RecordBody::origin(std::uint16_t origin) {
    append(extra_, fields(std::uint8_t{253}, origin));
    return *this;
}

RecordBody& RecordBody::top_xid(std::uint32_t xid) {
    append(extra_, fields(std::uint8_t{252}, xid));
    return *this;
}

RecordBody& RecordBody::main(ByteView main_data) {
    has_main_ = true;
    append(main_, main_data);
    return *this;
}

Bytes RecordBody::bytes() const {
    Bytes out;
    ByteWriter writer(out);
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
        const Block& block = blocks_[i];
        const bool is_same = i > 0 && blocks_[i - 1].relation == block.relation;
        const unsigned flags = block.fork | (block.image.empty() ? 0U : 0x10U) |
                               (block.data.empty() ? 0U : 0x20U) | (is_same ? 0x80U : 0U);
        writer.write(block.id);
        writer.write(static_cast<std::uint8_t>(flags));
        writer.write(static_cast<std::uint16_t>(block.data.size()));
        for (const Image& image : block.image) {
            writer.write(static_cast<std::uint16_t>(image.bytes.size()));
            writer.write(image.hole_offset);
            writer.write(image.flags);
            if (image.has_hole_length) writer.write(image.hole_length);
        }
        if (!is_same) {
            writer.write(block.relation.tablespace);
            writer.write(block.relation.database);
            writer.write(block.relation.file);
        }
        writer.write(block.number);
    }
    append(out, extra_);
    if (has_main_ && main_.size() < 256) {
        writer.write(std::uint8_t{255});
        writer.write(static_cast<std::uint8_t>(main_.size()));
    } else if (has_main_) {
        writer.write(std::uint8_t{254});
        writer.write(static_cast<std::uint32_t>(main_.size()));
    }
    for (const Block& block : blocks_) {
        for (const Image& image : block.image) append(out, image.bytes);
        append(out, block.data);
    }
    append(out, main_);
    return out;
}

std::vector<SampleRecord> make_sample_records(std::size_t count, std::uint32_t seed,
                                              std::uint16_t magic) {
    const wal::WalVersion* const version = wal::find_wal_version(magic);
    assert(version != nullptr);
    SampleWriter writer(seed, *version);
    std::vector<SampleRecord> out;
    while (out.size() < count) writer.write(out);
    return out;
}

}  // namespace walden::test
