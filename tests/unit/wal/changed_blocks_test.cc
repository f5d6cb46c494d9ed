#include "wal/changed_blocks.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::wal;

namespace {

constexpr RelationFork table = {1663, 5, 16384, 0};
constexpr RelationFork other = {1663, 5, 16390, 0};
constexpr std::uint32_t pages_per_file = 131'072;

BlockReferences list_of(std::uint64_t number, std::vector<ForkReferences> forks = {}) {
    BlockReferences list;
    list.begin = {number << 24};
    list.end = {(number + 1) << 24};
    list.forks = std::move(forks);
    return list;
}

std::vector<std::uint32_t> blocks(const ChangedBlocks& changed, const RelationFork& relation,
                                  std::uint32_t file = 0) {
    const auto found = changed.blocks_of(relation, file);
    REQUIRE(found);
    return *found;
}

}  // namespace

TEST_CASE("the union of lists names the blocks of each, file by file", "[wal][changed]") {
    ChangedBlocks changed;
    changed.add(list_of(5, {{table, no_limit, {{3, 2}, {100, 1}, {pages_per_file - 1, 2}}}}));
    changed.add(list_of(6, {{table, no_limit, {{4, 3}}}, {other, no_limit, {{0, 1}}}}));
    CHECK(changed.problem().empty());
    CHECK(changed.begin() == Lsn{5 << 24});
    CHECK(changed.end() == Lsn{7 << 24});
    CHECK(blocks(changed, table) ==
          std::vector<std::uint32_t>{3, 4, 5, 6, 100, pages_per_file - 1});
    CHECK(blocks(changed, table, 1) == std::vector<std::uint32_t>{0});
    CHECK(blocks(changed, table, 2).empty());
    CHECK(blocks(changed, other) == std::vector<std::uint32_t>{0});
    CHECK(blocks(changed, {1663, 6, 16384, 0}).empty());
    CHECK(changed.contains(table, 6));
    CHECK_FALSE(changed.contains(table, 7));
    CHECK(changed.contains(table, pages_per_file));
    CHECK_FALSE(changed.contains(table, pages_per_file + 1));
    CHECK_FALSE(changed.is_whole(table, 0));
}

TEST_CASE("forks that are not logged by block are always whole", "[wal][changed]") {
    ChangedBlocks changed;
    changed.add(list_of(5));
    for (std::uint8_t fork = 1; fork <= fork_max; ++fork) {
        CHECK(changed.is_whole({1663, 5, 16384, fork}, 0));
        CHECK_FALSE(changed.blocks_of({1663, 5, 16384, fork}, 0));
    }
    CHECK_FALSE(changed.is_whole(table, 0));
}

TEST_CASE("behind a limit everything has changed", "[wal][changed]") {
    ChangedBlocks changed;
    changed.add(
        list_of(5, {{table, pages_per_file + pages_per_file - 2, {{7, 1}}}, {other, 0, {}}}));
    CHECK(blocks(changed, table) == std::vector<std::uint32_t>{7});
    CHECK(blocks(changed, table, 1) ==
          std::vector<std::uint32_t>{pages_per_file - 2, pages_per_file - 1});
    CHECK(changed.is_whole(table, 2));
    CHECK(changed.is_whole(other, 0));
    CHECK(changed.contains(table, 0xFFFFFFFE));
    // The smaller limit counts, in whichever order they come.
    changed.add(list_of(6, {{table, 3, {}}}));
    changed.add(list_of(7, {{table, 9, {{1, 1}}}}));
    CHECK(changed.is_whole(table, 1));
    CHECK(blocks(changed, table).front() == 1);
    CHECK(blocks(changed, table).size() == 1 + pages_per_file - 3);
}

TEST_CASE("whole databases and tablespaces are whole", "[wal][changed]") {
    ChangedBlocks changed;
    BlockReferences list = list_of(5);
    list.databases = {{1663, 7}};
    list.tablespaces = {16400};
    changed.add(list);
    CHECK(changed.is_whole({1663, 7, 1259, 0}, 0));
    CHECK(changed.is_whole({16400, 5, 1259, 0}, 3));
    CHECK(changed.contains({1663, 7, 1259, 0}, 12));
    CHECK_FALSE(changed.is_whole({1663, 5, 1259, 0}, 0));
}

TEST_CASE("a gap between lists is a problem, and then all is whole", "[wal][changed]") {
    ChangedBlocks changed;
    changed.add(list_of(5));
    changed.add(list_of(7));
    CHECK(changed.problem() == "WAL from 0/6000000 to 0/7000000 is missing");
    CHECK(changed.is_whole(table, 0));
    CHECK(changed.contains(table, 0));
}

TEST_CASE("a half segment may come before the whole one of the next timeline", "[wal][changed]") {
    ChangedBlocks changed;
    BlockReferences before = list_of(4);
    before.is_open = true;
    changed.add(before);
    BlockReferences half = list_of(5, {{table, no_limit, {{1, 1}}}});
    half.end = {(5 << 24) + 1000};
    half.carried = Carried::resolved;
    changed.add(half);
    BlockReferences whole = list_of(5, {{table, no_limit, {{1, 2}}}});
    whole.carried = Carried::unknown;
    changed.add(whole);
    changed.add(list_of(6));
    CHECK(changed.problem().empty());
    CHECK(blocks(changed, table) == std::vector<std::uint32_t>{1, 2});
}

TEST_CASE("an open list needs one that resolves it", "[wal][changed]") {
    const Carried carried = GENERATE(Carried::none, Carried::resolved, Carried::unknown);
    const bool is_open = GENERATE(true, false);
    ChangedBlocks changed;
    BlockReferences list = list_of(5);
    list.is_open = is_open;
    list.carried = Carried::unknown;  // what begins before the first list does not matter
    changed.add(list);
    CHECK(changed.problem().empty());
    list = list_of(6);
    list.carried = carried;
    changed.add(list);
    CHECK(changed.problem().empty() == (!is_open || carried != Carried::unknown));
}

TEST_CASE("WAL of wal_level minimal, and what is not understood, is a problem", "[wal][changed]") {
    for (const std::uint8_t note : {note_minimal_level, note_everything}) {
        ChangedBlocks changed;
        BlockReferences list = list_of(5);
        list.notes = note;
        changed.add(list);
        CHECK_FALSE(changed.problem().empty());
    }
    ChangedBlocks changed;
    BlockReferences list = list_of(5);
    list.notes = note_parameters | note_timeline | note_full_pages_off;
    changed.add(list);
    CHECK(changed.problem().empty());
    CHECK(changed.notes() == list.notes);
}

TEST_CASE("memory is bounded: the relations that need most of it are whole then",
          "[wal][changed]") {
    ChangedBlocks changed({.pages_per_file = pages_per_file, .memory_max = 100'000});
    // One run over all that a relation can hold.
    changed.add(list_of(5, {{table, no_limit, {{0, 0xFFFFFFFE}}}}));
    CHECK(changed.memory_used() <= 100'000);
    CHECK(changed.is_whole(table, 0));
    std::vector<ForkReferences> forks;
    for (std::uint32_t i = 0; i < 200; ++i)
        forks.push_back({{1663, 5, 20'000 + i, 0}, no_limit, {{0, 1}, {i * 100, 1}}});
    changed.add(list_of(6, forks));
    CHECK(changed.memory_used() <= 100'000);
    CHECK(changed.problem().empty());
    for (const ForkReferences& fork : forks)
        for (const BlockRun& run : fork.runs) CHECK(changed.contains(fork.relation, run.first));
    CHECK_FALSE(changed.is_whole(forks.front().relation, 0));
    CHECK(changed.is_whole(forks[150].relation, 0));

    forks.clear();
    for (std::uint32_t i = 0; i < 2000; ++i)
        forks.push_back({{1663, 5, 30'000 + i, 0}, no_limit, {{0, 1}}});
    changed.add(list_of(7, forks));
    CHECK(changed.memory_used() <= 100'000);
    CHECK_FALSE(changed.problem().empty());
    CHECK(changed.contains(table, 5));
}

TEST_CASE("coarse lists cover what they stand for", "[wal][changed]") {
    BlockReferences list = list_of(5, {{table, no_limit, {{5, 1}, {1000, 1}}}});
    coarsen(list, 3);
    ChangedBlocks changed;
    changed.add(list);
    CHECK(blocks(changed, table).size() == 16);
    CHECK(changed.contains(table, 5));
    CHECK(changed.contains(table, 1000));
    CHECK_FALSE(changed.contains(table, 8));
}
