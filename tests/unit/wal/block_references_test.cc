#include "wal/block_references.h"

#include "base/file.h"
#include "support/errors.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <string>

using namespace walden;
using namespace walden::test;
using namespace walden::wal;

namespace {

/// Everything that a list can say.
BlockReferences full_list() {
    BlockReferences list;
    list.begin = {0x5000000};
    list.end = {0x6000000};
    list.notes = note_parameters | note_full_pages_off;
    list.is_open = true;
    list.carried = Carried::resolved;
    list.tablespaces = {16390, 16399};
    list.databases = {{1663, 16500}, {16390, 5}};
    list.forks = {
        {.relation = {1663, 5, 1259, 0}, .limit = no_limit, .runs = {{0, 1}, {3, 1}, {200, 7}}},
        {.relation = {1663, 5, 1259, 2}, .limit = no_limit, .runs = {{0, 1}}},
        {.relation = {1663, 5, 16384, 0}, .limit = 12, .runs = {{0, 12}}},
        {.relation = {1663, 5, 16385, 0}, .limit = 0, .runs = {}},
        {.relation = {1663, 6, 1, 0}, .limit = no_limit, .runs = {{0xFFFFFFFE, 1}}},
        {.relation = {1664, 0, 1260, 0}, .limit = no_limit, .runs = {{1, 0xFFFFFFFD}}},
    };
    return list;
}

Bytes read_golden(const std::string& name) {
    const char* const root = std::getenv("WALDEN_SOURCE_ROOT");
    REQUIRE(root != nullptr);
    auto bytes = read_file(std::string(root) + "/tests/golden/wal/" + name, 1 << 20);
    REQUIRE(bytes);
    return std::move(*bytes);
}

bool covers(const ForkReferences& fork, std::uint32_t block) {
    if (block >= fork.limit) return true;
    for (const BlockRun& run : fork.runs)
        if (block >= run.first && block - run.first < run.count) return true;
    return false;
}

}  // namespace

TEST_CASE("block references come back", "[wal][references]") {
    CHECK(decode_block_references(encode_block_references(full_list())) == full_list());
    CHECK(decode_block_references(encode_block_references({})) == BlockReferences{});
}

TEST_CASE("the golden list of references has every field, and is encoded as it was",
          "[wal][references][golden]") {
    const Bytes bytes = read_golden("block_references-1.bin");
    CHECK(decode_block_references(bytes) == full_list());
    CHECK(equal(encode_block_references(full_list()), bytes));
}

TEST_CASE("every truncation of a list of references is refused", "[wal][references]") {
    const Bytes bytes = encode_block_references(full_list());
    for (std::size_t size = 0; size < bytes.size(); ++size)
        if (kind_of([&] {
                static_cast<void>(decode_block_references(ByteView(bytes).first(size)));
            }) != ErrorKind::corrupt)
            FAIL_CHECK("cut to " << size);
    Bytes longer = bytes;
    append(longer, as_bytes("x"));
    CHECK(kind_of([&] { static_cast<void>(decode_block_references(longer)); }) ==
          ErrorKind::corrupt);
}

TEST_CASE("a list of references of a later version asks for an upgrade", "[wal][references]") {
    Bytes bytes = encode_block_references(full_list());
    bytes[0] = std::byte{2};
    CHECK(kind_of([&] { static_cast<void>(decode_block_references(bytes)); }) == ErrorKind::usage);
    bytes[0] = std::byte{0};
    CHECK(kind_of([&] { static_cast<void>(decode_block_references(bytes)); }) ==
          ErrorKind::corrupt);
}

TEST_CASE("any flipped bit of a list gives an error, or a list with one spelling",
          "[wal][references]") {
    const Bytes sound = encode_block_references(full_list());
    for (std::size_t bit = 0; bit < sound.size() * 8; ++bit) {
        const Bytes bytes = with_bit_flipped(sound, bit);
        try {
            const BlockReferences list = decode_block_references(bytes);
            if (!equal(encode_block_references(list), bytes)) FAIL_CHECK("bit " << bit);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::usage)
                FAIL_CHECK("bit " << bit);
        }
    }
}

TEST_CASE("a list with too many blocks says less exactly where they are, and loses none",
          "[wal][references]") {
    BlockReferences list;
    ForkReferences fork{.relation = {1663, 5, 16384, 0}, .limit = no_limit, .runs = {}};
    for (std::uint32_t block = 0; block < 200'000; ++block) fork.runs.push_back({block * 1009, 1});
    list.forks = {fork, {.relation = {1663, 5, 16385, 0}, .limit = 5, .runs = {{1, 1}}}};
    const Bytes bytes = encode_block_references(list);
    CHECK(bytes.size() <= block_references_size_max);
    const BlockReferences read = decode_block_references(bytes);
    CHECK(read.shift > 0);
    CHECK(read.shift <= 17);
    REQUIRE(read.forks.size() == 2);
    for (const BlockRun& run : fork.runs)
        if (!covers(read.forks[0], run.first)) FAIL_CHECK(run.first);
    CHECK(covers(read.forks[1], 1));
    CHECK(read.forks[1].limit == 5);
}

TEST_CASE("a list with too many relations names their database", "[wal][references]") {
    BlockReferences list;
    for (std::uint32_t i = 0; i < 40'000; ++i)
        list.forks.push_back(
            {.relation = {1663, 5, 16384 + i * 3, 0}, .limit = no_limit, .runs = {{i, 1}}});
    list.forks.push_back({.relation = {1663, 6, 1, 0}, .limit = no_limit, .runs = {{7, 1}}});
    const Bytes bytes = encode_block_references(list);
    CHECK(bytes.size() < 100);
    const BlockReferences read = decode_block_references(bytes);
    CHECK(read.databases == std::vector<DatabaseFiles>{{1663, 5}});
    REQUIRE(read.forks.size() == 1);
    CHECK(covers(read.forks[0], 7));
}

TEST_CASE("a list with too many whole databases says that everything changed",
          "[wal][references]") {
    BlockReferences list;
    for (std::uint32_t i = 0; i < 40'000; ++i) list.databases.push_back({1663, i});
    const BlockReferences read = decode_block_references(encode_block_references(list));
    CHECK(read.notes == note_everything);
    CHECK(read.databases.empty());
}

TEST_CASE("coarser units cover what finer ones did", "[wal][references]") {
    BlockReferences list = full_list();
    coarsen(list, 4);
    CHECK(list.forks[0].runs == std::vector<BlockRun>{{0, 16}, {192, 16}});
    CHECK(list.forks[4].runs == std::vector<BlockRun>{{0xFFFFFFF0, 15}});
    CHECK(decode_block_references(encode_block_references(list)) == list);
    coarsen(list, 32);
    CHECK(list.forks[0].runs == std::vector<BlockRun>{{0, 0xFFFFFFFF}});
    CHECK(decode_block_references(encode_block_references(list)) == list);
    const BlockReferences coarse = list;
    coarsen(list, 3);
    CHECK(list == coarse);
}
