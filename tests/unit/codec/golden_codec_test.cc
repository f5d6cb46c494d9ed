// Encoded bytes as every version so far has written them must decode for ever. The files are never
// regenerated: a change that makes one fail breaks archives that people have.
#include "base/file.h"
#include "base/hash.h"
#include "codec/codec.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <string>

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

}  // namespace

TEST_CASE("the golden files of every layout version decode", "[codec][golden]") {
    const Golden golden = GENERATE(layout_1_zstd, layout_1_lz4, wal_1_lz4, wal_1_zstd);
    const char* const root = std::getenv("WALDEN_SOURCE_ROOT");
    REQUIRE(root != nullptr);
    const auto encoded =
        read_file(std::string(root) + "/tests/golden/codec/" + golden.name, 1 << 20);
    REQUIRE(encoded);
    Bytes out;
    decode(golden.codec, *encoded, golden.plain_size, 2, out);
    CHECK(xxh3_64(out) == golden.plain_xxh3);
}
