#include "wal/record_parts.h"

#include "support/wal_records.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::wal;
using test::Image;
using test::RecordBody;
using test::RelationFile;

namespace {

constexpr std::uint16_t magic_13 = 0xD106;
constexpr std::uint16_t magic_18 = 0xD118;

Bytes record_of(const RecordBody& body) {
    const Bytes behind = body.bytes();
    Bytes record(record_header_size, std::byte{0});
    append(record, behind);
    store_le(record.data(), static_cast<std::uint32_t>(record.size()));
    return record;
}

PartsState read(ByteView record, RecordParts& parts, std::uint16_t magic = magic_18) {
    return read_record_parts(record, load_le<std::uint32_t>(record.data()),
                             *find_wal_version(magic), parts);
}

/// Three blocks of two relations, an image with a hole that is packed, an origin, main data.
RecordBody busy_record() {
    RecordBody body;
    Image image;
    image.bytes = Bytes(100, std::byte{7});
    image.flags = 1 | 2 | 4;  // a hole, applied, packed by pglz, as 15 and later write it
    image.has_hole_length = true;
    body.block(0, {1663, 5, 16384}, 7).image(image).data(Bytes(11, std::byte{1}));
    body.block(1, {1663, 5, 16384}, 8, 2);
    body.block(5, {1664, 0, 1260}, 0xFFFFFFFE);
    body.origin(3).top_xid(4711).main(Bytes(300, std::byte{2}));
    return body;
}

}  // namespace

TEST_CASE("a record's blocks and where its data lies are read", "[wal][parts]") {
    const Bytes record = record_of(busy_record());
    RecordParts parts;
    REQUIRE(read(record, parts) == PartsState::whole);
    REQUIRE(parts.block_count == 3);
    CHECK(parts.blocks[0].relation == RelationFork{1663, 5, 16384, 0});
    CHECK(parts.blocks[0].number == 7);
    CHECK(parts.blocks[0].has_image);
    CHECK(parts.blocks[0].data_length == 11);
    CHECK(record[parts.blocks[0].data_offset] == std::byte{1});
    CHECK(record[parts.blocks[0].data_offset - 1] == std::byte{7});
    CHECK(parts.blocks[1].relation == RelationFork{1663, 5, 16384, 2});
    CHECK(parts.blocks[1].number == 8);
    CHECK_FALSE(parts.blocks[1].has_image);
    CHECK(parts.blocks[2].relation == RelationFork{1664, 0, 1260, 0});
    CHECK(parts.blocks[2].number == 0xFFFFFFFE);
    CHECK(parts.blocks[2].id == 5);
    CHECK(parts.top_xid == 4711);
    CHECK(parts.main_length == 300);
    CHECK(parts.main_offset == record.size() - 300);
}

TEST_CASE("a header that is not all in view is cut, and needs no byte behind itself",
          "[wal][parts]") {
    const Bytes record = record_of(busy_record());
    const std::size_t header_size = record.size() - 300 - 111;
    RecordParts parts;
    for (std::size_t size = 0; size <= record.size(); ++size) {
        const PartsState state = read_record_parts(ByteView(record).first(size),
                                                   static_cast<std::uint32_t>(record.size()),
                                                   *find_wal_version(magic_18), parts);
        if (state != (size < header_size ? PartsState::cut : PartsState::whole))
            FAIL_CHECK("cut to " << size);
    }
}

TEST_CASE("a record that is only a header has no parts", "[wal][parts]") {
    RecordParts parts;
    CHECK(read(record_of(RecordBody()), parts) == PartsState::whole);
    CHECK(parts.block_count == 0);
    CHECK(parts.main_length == 0);
}

TEST_CASE("what no version writes is malformed", "[wal][parts]") {
    RecordParts parts;
    // Ids that do not ascend.
    CHECK(read(record_of(RecordBody().block(1, {}, 1).block(1, {}, 2).main(Bytes(1))), parts) ==
          PartsState::malformed);
    // 13 knows no top-level transactions.
    const Bytes with_top = record_of(RecordBody().top_xid(7).main(Bytes(4)));
    CHECK(read(with_top, parts) == PartsState::whole);
    CHECK(read(with_top, parts, magic_13) == PartsState::malformed);
    // Lengths that do not add up.
    Bytes record = record_of(RecordBody().block(0, {}, 1).main(Bytes(40)));
    record.resize(record.size() - 1);
    store_le(record.data(), static_cast<std::uint32_t>(record.size()));
    CHECK(read(record, parts) == PartsState::malformed);
    // A fork, and an id, that do not exist.
    record = record_of(RecordBody().block(0, {}, 1).main(Bytes(40)));
    record[record_header_size + 1] |= std::byte{4};
    CHECK(read(record, parts) == PartsState::malformed);
    record[record_header_size] = std::byte{100};
    CHECK(read(record, parts) == PartsState::malformed);
    // A first block that has the relation of the one before.
    record = record_of(RecordBody().block(0, {}, 1).main(Bytes(40)));
    record[record_header_size + 1] |= std::byte{0x80};
    CHECK(read(record, parts) == PartsState::malformed);
}

TEST_CASE("bytes of pieces come as a view where one piece has them", "[wal][parts]") {
    const Bytes record = record_of(busy_record());
    const ByteView all(record);
    const std::vector<ByteView> pieces = {all.first(40), all.subspan(40, 1), all.subspan(41)};
    Bytes scratch;
    for (std::size_t offset = 0; offset < 60; ++offset)
        for (std::size_t size = 0; size < 60; ++size) {
            const ByteView taken = bytes_of_pieces(pieces, offset, size, scratch);
            if (!equal(taken, all.subspan(offset, size))) FAIL_CHECK(offset << ' ' << size);
        }
    CHECK(bytes_of_pieces(pieces, 0, 40, scratch).data() == all.data());
    CHECK(equal(bytes_of_pieces(pieces, 10, 1 << 20, scratch), all.subspan(10)));
    CHECK(bytes_of_pieces(pieces, record.size(), 1, scratch).empty());
    CHECK(bytes_of_pieces({}, 0, 1, scratch).empty());
}
