// Records as PostgreSQL shapes them, made of nothing: for tests of what takes records apart.
#pragma once

#include "base/bytes.h"
#include "support/wal_builder.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace walden::test {

/// A relation file; the numbers mean nothing.
struct RelationFile {
    std::uint32_t tablespace = 1663;
    std::uint32_t database = 5;
    std::uint32_t file = 16384;

    friend bool operator==(const RelationFile&, const RelationFile&) = default;
};

/// A page image as it lies in a record. `flags` are those of the version that it is written for.
struct Image {
    Bytes bytes;
    std::uint16_t hole_offset = 0;
    std::uint8_t flags = 0;
    std::uint16_t hole_length = 0;  ///< written for packed images with a hole only
    bool has_hole_length = false;
};

/// A page of 8 KiB without its hole. `item_sizes` are the lengths of the items, the first one
/// lowest in the line pointers and highest in the page; 0 makes a line pointer without an item.
[[nodiscard]] Image make_page_image(const std::vector<std::uint32_t>& item_sizes,
                                    std::uint32_t special_size, std::uint32_t seed,
                                    std::uint8_t flags);

/// What follows XLogRecord, put together as XLogRecordAssemble does.
class RecordBody {
public:
    RecordBody& block(std::uint8_t id, const RelationFile& relation, std::uint32_t number,
                      std::uint8_t fork = 0);
    /// Belongs to the block added last, as the next one.
    RecordBody& image(const Image& image);
    RecordBody& data(ByteView data);
    RecordBody& origin(std::uint16_t origin);
    RecordBody& top_xid(std::uint32_t xid);
    /// Comes last.
    RecordBody& main(ByteView main_data);

    [[nodiscard]] Bytes bytes() const;

private:
    struct Block {
        std::uint8_t id = 0;
        std::uint8_t fork = 0;
        RelationFile relation;
        std::uint32_t number = 0;
        std::vector<Image> image;  ///< none or one
        Bytes data;
    };

    std::vector<Block> blocks_;
    Bytes extra_;
    Bytes main_;
    bool has_main_ = false;
};

/// A record and its body; what WalBuilder::record_of takes.
struct SampleRecord {
    RecordKind kind;
    Bytes body;
};

/// `count` records as an application with a few tables and indexes might write them: inserts,
/// updates with and without old rows, index entries, COPY, images of all kinds, commits, and a few
/// that nobody understands. The same for the same seed. `magic` is that of the version.
[[nodiscard]] std::vector<SampleRecord> make_sample_records(std::size_t count, std::uint32_t seed,
                                                            std::uint16_t magic = 0xD110);

}  // namespace walden::test
