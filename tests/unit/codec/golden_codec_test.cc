// Encoded bytes as every version so far has written them must decode for ever. The files are never
// regenerated: a change that makes one fail breaks archives that people have.
#include "base/file.h"
#include "base/hash.h"
#include "codec/codec.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

using namespace walden;
using namespace walden::codec;

namespace {

struct Golden {
    const char* name;
    CodecId codec;
    std::size_t plain_size;
    std::uint64_t plain_xxh3;
};

/// Words, noise (stored raw), zeros, the look of WAL: every kind of block and a short last one.
/// The blocks are of 64 KiB to keep the files small; a reader takes all block sizes.
constexpr Golden layout_1_zstd{"zstd-layout1.bin", CodecId::zstd, 206'608, 0x304081B751E16D0A};
constexpr Golden layout_1_lz4{"lz4-layout1.bin", CodecId::lz4, 206'608, 0x304081B751E16D0A};

/// Segments of 1 MiB, as PostgreSQL 13 and 18 would write them: 250 records of all kinds,
/// then zeros. Columns, rows, page images, inserts of many rows, packed images.
constexpr Golden wal_1_lz4{"wal-layout1-13-lz4.bin", CodecId::wal, 1 << 20, 0x5E630857841AEF36};
constexpr Golden wal_1_zstd{"wal-layout1-18-zstd.bin", CodecId::wal, 1 << 20, 0x575CA93483649466};

/// Heap rows, rows of one size, btree leaves of numbers, words and posting lists, 4 pages of each
/// from block 131070 on; a page of zeros and one that stays whole. Checksums are computed.
constexpr std::size_t unit_pages = 22;
constexpr std::uint32_t unit_block = 131'070;
constexpr Golden unit_1_zstd{"page-unit1-zstd.bin", CodecId::page, unit_pages * 8192,
                             0xBFF38D0DB27A6129};
constexpr Golden unit_1_lz4{"page-unit1-lz4.bin", CodecId::page, unit_pages * 8192,
                            0xBFF38D0DB27A6129};

Bytes read_golden(const Golden& golden) {
    const char* const root = std::getenv("WALDEN_SOURCE_ROOT");
    REQUIRE(root != nullptr);
    auto encoded = read_file(std::string(root) + "/tests/golden/codec/" + golden.name, 1 << 20);
    REQUIRE(encoded);
    return std::move(*encoded);
}

}  // namespace

TEST_CASE("the golden files of every layout version decode", "[codec][golden]") {
    const Golden golden = GENERATE(layout_1_zstd, layout_1_lz4, wal_1_lz4, wal_1_zstd);
    Bytes out;
    decode(golden.codec, read_golden(golden), golden.plain_size, 2, out);
    CHECK(xxh3_64(out) == golden.plain_xxh3);
}

TEST_CASE("the golden units of pages of every version decode", "[codec][golden][page]") {
    const Golden golden = GENERATE(unit_1_zstd, unit_1_lz4);
    std::vector<std::uint32_t> blocks;
    for (std::uint32_t i = 0; i < unit_pages; ++i) blocks.push_back(unit_block + i);
    Bytes plain(golden.plain_size);
    decode_unit(golden.codec, read_golden(golden), plain, blocks);
    CHECK(xxh3_64(plain) == golden.plain_xxh3);
}
