// What is gathered of a segment's records, and of those that lie in two segments.
#include "wal/segment_examiner.h"

#include "support/wal_builder.h"
#include "support/wal_records.h"
#include "wal/changed_blocks.h"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace walden;
using namespace walden::wal;
using test::RecordBody;
using test::RelationFile;
using test::WalBuilder;

namespace {

constexpr RelationFile table = {1663, 5, 16384};
constexpr std::size_t segment_size = 1 << 20;

SegmentInput input_of(const WalBuilder& builder, std::size_t index = 0) {
    return {.bytes = builder.stream().subspan(index * segment_size, segment_size),
            .name = builder.name(index),
            .segment_size = builder.options().segment_size};
}

BlockReferences references_of(const WalBuilder& builder, std::size_t index = 0) {
    const ByteView previous =
        index == 0 ? ByteView() : input_of(builder, index - 1).bytes.last(previous_end_size);
    return collect_block_references(input_of(builder, index), previous);
}

RelationFork fork_of(const RelationFile& file, std::uint8_t fork = 0) {
    return {file.tablespace, file.database, file.file, fork};
}

const ForkReferences* find(const BlockReferences& list, const RelationFork& relation) {
    const auto found =
        std::find_if(list.forks.begin(), list.forks.end(),
                     [&](const ForkReferences& fork) { return fork.relation == relation; });
    return found == list.forks.end() ? nullptr : &*found;
}

template <class... Fields>
Bytes fields(Fields... values) {
    Bytes made;
    ByteWriter writer(made);
    (writer.write(values), ...);
    return made;
}

Bytes only_main(ByteView main_data) {
    return RecordBody().main(main_data).bytes();
}

/// A commit that drops relation files 20000, 20001, ... of database 5.
Bytes dropping_commit(std::uint32_t count, std::uint32_t subtransactions = 2) {
    Bytes data = fields(std::uint64_t{12345}, std::uint32_t{1 | 2 | 4}, std::uint32_t{5},
                        std::uint32_t{1663}, subtransactions);
    ByteWriter writer(data);
    for (std::uint32_t i = 0; i < subtransactions; ++i) writer.write(1001 + i);
    writer.write(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        writer.write(std::uint32_t{1663});
        writer.write(std::uint32_t{5});
        writer.write(std::uint32_t{20'000} + i);
    }
    return data;
}

/// Nine blocks of three relations, some main data.
Bytes wide_body() {
    RecordBody body;
    for (std::uint8_t i = 0; i < 9; ++i)
        body.block(i, {1663, 5, 16384 + i / 3U}, 1000U * i).data(Bytes(3, std::byte{i}));
    return body.main(Bytes(3, std::byte{9})).bytes();
}

/// Two segments: `before` bytes of the record lie in the first one.
WalBuilder straddling(const Bytes& body, test::RecordKind kind, std::uint32_t before) {
    WalBuilder builder;
    builder.fill(200, 9000);
    builder.record(static_cast<std::uint32_t>(segment_size - builder.end_offset() - before -
                                              (builder.end_offset() / 8192 != 127 ? 24 : 0)));
    REQUIRE(builder.end_offset() == segment_size - before);
    builder.record_of(body, kind).record(100).switch_segment();
    return builder;
}

}  // namespace

TEST_CASE("records' blocks are gathered, each once", "[wal][references]") {
    WalBuilder builder;
    builder.record_of(RecordBody().block(0, table, 7).block(1, table, 9, 2).bytes(), {});
    builder.record_of(RecordBody().block(0, table, 7).main(Bytes(8, std::byte{1})).bytes(), {});
    builder.record_of(RecordBody().block(0, table, 8).bytes(), {});
    builder.record_of(RecordBody().block(0, {1664, 0, 1260}, 3).bytes(), {.resource_manager = 200});
    const BlockReferences list = references_of(builder.switch_segment());
    REQUIRE(list.forks.size() == 3);
    CHECK(list.forks[0] == ForkReferences{fork_of(table), no_limit, {{7, 2}}});
    CHECK(list.forks[1] == ForkReferences{fork_of(table, 2), no_limit, {{9, 1}}});
    CHECK(list.forks[2] == ForkReferences{fork_of({1664, 0, 1260}), no_limit, {{3, 1}}});
    CHECK(list.notes == 0);
    CHECK(list.begin == Lsn{5 << 20});
    CHECK(list.end == Lsn{6 << 20});
    CHECK(list.carried == Carried::none);
    CHECK_FALSE(list.is_open);
}

TEST_CASE("files that are created, truncated and dropped have limits", "[wal][references]") {
    WalBuilder builder;
    builder.record_of(RecordBody().block(0, table, 7).block(1, table, 90).bytes(), {});
    builder.record_with(
        fields(std::uint32_t{10}, table.tablespace, table.database, table.file, std::uint32_t{7}),
        {.resource_manager = 2, .info = 0x20});
    builder.record_with(
        fields(std::uint32_t{1663}, std::uint32_t{5}, std::uint32_t{30'000}, std::uint32_t{0}),
        {.resource_manager = 2, .info = 0x10});
    builder.record_with(
        fields(std::uint32_t{1663}, std::uint32_t{5}, std::uint32_t{30'001}, std::uint32_t{3}),
        {.resource_manager = 2, .info = 0x10});
    const unsigned kind = GENERATE(0x00U, 0x20U, 0x30U, 0x40U);
    builder.record_with(dropping_commit(3),
                        {.resource_manager = 1, .info = static_cast<std::uint8_t>(kind | 0x80)});
    const BlockReferences list = references_of(builder.switch_segment());
    REQUIRE(find(list, fork_of(table)));
    CHECK(*find(list, fork_of(table)) == ForkReferences{fork_of(table), 10, {{7, 1}}});
    CHECK(find(list, {1663, 5, 30'000, 0})->limit == 0);
    CHECK(find(list, {1663, 5, 30'001, 3})->limit == 0);
    for (std::uint32_t i = 0; i < 3; ++i) {
        REQUIRE(find(list, {1663, 5, 20'000 + i, 0}));
        CHECK(find(list, {1663, 5, 20'000 + i, 0})->limit == 0);
    }
    CHECK(list.forks.size() == 6);
    CHECK(list.notes == 0);
}

TEST_CASE("a prepared transaction drops nothing yet", "[wal][references]") {
    WalBuilder builder;
    builder.record_with(dropping_commit(3), {.resource_manager = 1, .info = 0x90});
    CHECK(references_of(builder.switch_segment()).forks.empty());
}

TEST_CASE("databases that are created, moved and dropped count as a whole", "[wal][references]") {
    // Info of the drop, and of a creation that is logged, by version.
    struct Version {
        std::uint16_t magic;
        std::uint8_t drop;
    };

    const Version version = GENERATE(Version{0xD106, 0x10}, Version{0xD10D, 0x10},
                                     Version{0xD110, 0x20}, Version{0xD118, 0x20});
    WalBuilder builder({.magic = version.magic});
    builder.record_of(RecordBody().block(0, {1663, 77, 1}, 3).bytes(), {});
    builder.record_with(
        fields(std::uint32_t{77}, std::uint32_t{1663}, std::uint32_t{1}, std::uint32_t{1663}),
        {.resource_manager = 4, .info = 0x00});
    if (version.drop == 0x20)
        builder.record_with(fields(std::uint32_t{78}, std::uint32_t{1663}),
                            {.resource_manager = 4, .info = 0x10});
    builder.record_with(
        fields(std::uint32_t{79}, std::uint32_t{2}, std::uint32_t{1663}, std::uint32_t{16'400}),
        {.resource_manager = 4, .info = version.drop});
    builder.record_with(only_main(fields(std::uint32_t{16'500})), {.resource_manager = 9});
    builder.record_with(fields(std::uint32_t{16'401}, std::uint16_t{'/'}),
                        {.resource_manager = 5, .info = 0x00});
    builder.record_with(fields(std::uint32_t{16'400}), {.resource_manager = 5, .info = 0x10});
    const BlockReferences list = references_of(builder.switch_segment());
    std::vector<DatabaseFiles> expected = {{1663, 77}, {1663, 78}, {1663, 79}, {16'400, 79}};
    if (version.drop == 0x10) expected.erase(expected.begin() + 1);
    CHECK(list.databases == expected);
    CHECK(list.tablespaces == std::vector<std::uint32_t>{16'400, 16'401});
    CHECK(list.forks.empty());
    CHECK(list.notes == 0);
}

TEST_CASE("what a backup must know beside blocks is noted", "[wal][references]") {
    const auto parameters = [](std::uint32_t level) {
        Bytes data(20, std::byte{1});
        append(data, fields(level, std::uint32_t{0}));
        return data;
    };
    const auto notes_of = [](WalBuilder builder) {
        return references_of(builder.switch_segment()).notes;
    };
    CHECK(notes_of(WalBuilder().record_with(
              parameters(1), {.resource_manager = 0, .info = 0x60})) == note_parameters);
    CHECK(
        notes_of(WalBuilder().record_with(parameters(0), {.resource_manager = 0, .info = 0x60})) ==
        (note_parameters | note_minimal_level));
    CHECK(notes_of(WalBuilder().record_with(fields(std::uint8_t{0}),
                                            {.resource_manager = 0, .info = 0x80})) ==
          note_full_pages_off);
    CHECK(notes_of(WalBuilder().record_with(fields(std::uint8_t{1}),
                                            {.resource_manager = 0, .info = 0x80})) == 0);
    // A checkpoint: redo, timeline, the one before, full_page_writes, wal_level.
    const auto checkpoint = [](std::uint32_t before, std::uint8_t full_pages, std::uint32_t level) {
        Bytes data = fields(std::uint64_t{40}, std::uint32_t{1}, before, full_pages,
                            std::uint8_t{0}, std::uint16_t{0}, level);
        data.resize(88, std::byte{1});
        return data;
    };
    const test::RecordKind online = {.resource_manager = 0, .info = 0x10, .xid = 0};
    CHECK(notes_of(WalBuilder().record_with(checkpoint(1, 1, 0), online)) == 0);
    CHECK(notes_of(WalBuilder().record_with(checkpoint(0, 0, 1), online)) ==
          (note_timeline | note_full_pages_off));
    CHECK(notes_of(WalBuilder({.magic = 0xD116}).record_with(checkpoint(1, 1, 0), online)) ==
          note_minimal_level);
    CHECK(notes_of(WalBuilder({.magic = 0xD116}).record_with(checkpoint(1, 1, 1), online)) == 0);
}

TEST_CASE("a record that is not understood leaves nothing unsaid", "[wal][references]") {
    WalBuilder builder;
    builder.record_of(Bytes(20, std::byte{0x77}), {});
    CHECK(references_of(builder.switch_segment()).notes == note_everything);
    // A commit whose list of relations is longer than its data.
    Bytes commit = dropping_commit(3);
    commit.resize(commit.size() - 4);
    builder = WalBuilder();
    builder.record_with(commit, {.resource_manager = 1, .info = 0x80});
    CHECK(references_of(builder.switch_segment()).notes == note_everything);
}

TEST_CASE("wherever a segment ends in a record, its references are in one list or the other",
          "[wal][references]") {
    const std::uint32_t before = 8 * GENERATE(range(1u, 21u));
    const WalBuilder builder = straddling(wide_body(), {}, before);
    const BlockReferences first = references_of(builder, 0);
    const BlockReferences second = references_of(builder, 1);
    CHECK(second.carried == Carried::resolved);
    // 24 of XLogRecord, 9 times 4 and 4 of blocks, 12 of three relations, 2 of the main data.
    const std::uint32_t header_size = 24 + 9 * 8 + 3 * 12 + 2;
    CHECK(first.is_open == (before < header_size));
    ChangedBlocks changed;
    changed.add(first);
    changed.add(second);
    CHECK(changed.problem().empty());
    for (std::uint32_t i = 0; i < 9; ++i)
        CHECK(changed.contains({1663, 5, 16384 + i / 3, 0}, 1000 * i));
    CHECK_FALSE(changed.contains({1663, 5, 16384, 0}, 3));

    // Without the segment before, the next list does not know, and it matters if it was open.
    const BlockReferences alone = collect_block_references(input_of(builder, 1));
    CHECK(alone.carried == Carried::unknown);
    ChangedBlocks without;
    without.add(first);
    without.add(alone);
    CHECK(without.problem().empty() != first.is_open);
}

TEST_CASE("relations that a commit in two segments drops are in one list or the other",
          "[wal][references]") {
    const std::uint32_t before = GENERATE(8u, 24u, 32u, 40u, 64u, 96u, 104u, 200u, 1200u, 6000u);
    const WalBuilder builder =
        straddling(only_main(dropping_commit(500)), {.resource_manager = 1, .info = 0x80}, before);
    const BlockReferences first = references_of(builder, 0);
    CHECK(first.is_open);
    ChangedBlocks changed;
    changed.add(first);
    changed.add(references_of(builder, 1));
    CHECK(changed.problem().empty());
    for (std::uint32_t i = 0; i < 500; ++i)
        if (!changed.is_whole({1663, 5, 20'000 + i, 0}, 0)) FAIL_CHECK(i);
    CHECK_FALSE(changed.is_whole({1663, 5, 20'500, 0}, 0));
}

TEST_CASE("a commit in two segments that drops nothing leaves no list open", "[wal][references]") {
    Bytes data = fields(std::uint64_t{12345}, std::uint32_t{2}, std::uint32_t{2000});
    data.resize(data.size() + 8000, std::byte{1});
    const WalBuilder builder =
        straddling(only_main(data), {.resource_manager = 1, .info = 0x80}, 64);
    CHECK_FALSE(references_of(builder, 0).is_open);
    CHECK(references_of(builder, 1).carried == Carried::resolved);
}

TEST_CASE("bytes before the segment that do not go with it are left aside", "[wal][references]") {
    const WalBuilder builder = straddling(wide_body(), {}, 48);
    const SegmentInput second = input_of(builder, 1);
    const ByteView end = input_of(builder, 0).bytes.last(previous_end_size);
    CHECK(collect_block_references(second, end).carried == Carried::resolved);
    CHECK(collect_block_references(second, end.last(8192)).carried == Carried::resolved);
    CHECK(collect_block_references(second, input_of(builder, 0).bytes).carried ==
          Carried::resolved);
    CHECK(collect_block_references(second, end.last(8000)).carried == Carried::unknown);
    CHECK(collect_block_references(second, end.first(previous_end_size - 8192)).carried ==
          Carried::unknown);
    // Another stream of the same shape: only the CRC tells.
    const WalBuilder other = [&] {
        WalBuilder made = builder;
        made.flip_byte(segment_size - 8, 0x40);
        return made;
    }();
    const BlockReferences fooled =
        collect_block_references(second, input_of(other, 0).bytes.last(previous_end_size));
    CHECK(fooled.carried == Carried::unknown);
    CHECK(fooled.forks.empty());
    CHECK(examine_segment(second, input_of(other, 0).bytes).report.is_complete());
}

TEST_CASE("a record longer than a segment is open in none that follows", "[wal][references]") {
    WalBuilder builder;
    builder.fill(200, 9000);
    builder.record_of(RecordBody().block(0, table, 5).main(Bytes(2'500'000)).bytes(), {});
    builder.record_of(RecordBody().block(0, table, 6).bytes(), {}).switch_segment();
    ChangedBlocks changed;
    for (std::size_t i = 0; i < 4; ++i) {
        const BlockReferences list = references_of(builder, i);
        CHECK_FALSE(list.is_open);
        CHECK(list.end - list.begin == segment_size);
        changed.add(list);
    }
    CHECK(changed.problem().empty());
    CHECK(changed.contains(fork_of(table), 5));
    CHECK(changed.contains(fork_of(table), 6));
}

TEST_CASE("a record that a crash cut off opens nothing", "[wal][references]") {
    WalBuilder builder;
    builder.fill(200, 9000);
    builder.fill(40, 60).torn_record(5000).record(500).switch_segment();
    const BlockReferences second = references_of(builder, 1);
    CHECK(second.carried == Carried::none);
    ChangedBlocks changed;
    changed.add(references_of(builder, 0));
    changed.add(second);
    CHECK(changed.problem().empty());
}

TEST_CASE("a segment that ends early has references up to its valid end", "[wal][references]") {
    WalBuilder builder;
    builder.record_of(RecordBody().block(0, table, 7).bytes(), {});
    const Lsn end = builder.end();
    const BlockReferences list = references_of(builder);
    CHECK(list.end == end);
    CHECK(find(list, fork_of(table)));
    CHECK_FALSE(list.is_open);
}

TEST_CASE("bytes that are no segment have no references", "[wal][references]") {
    const WalBuilder builder;
    const Bytes noise(segment_size, std::byte{7});
    const SegmentExamination examined = examine_segment(
        {.bytes = noise, .name = builder.name(0), .segment_size = builder.options().segment_size},
        {});
    CHECK_FALSE(examined.report.header);
    CHECK(examined.references.begin == examined.references.end);
    CHECK(examined.references.forks.empty());
}

TEST_CASE("more blocks and relations than memory is set aside for lose no reference",
          "[wal][references]") {
    WalBuilder builder({.segment_size = *SegmentSize::from_bytes(16 << 20)});
    std::vector<std::pair<RelationFork, std::uint32_t>> expected;
    for (std::uint32_t i = 0; builder.end_offset() + 10'000 < (16 << 20); ++i) {
        const RelationFile file = {1663, 5, 16384 + i % 40'000};
        builder.record_of(RecordBody().block(0, file, i * 7919).bytes(), {});
        expected.emplace_back(fork_of(file), i * 7919);
    }
    builder.switch_segment();
    REQUIRE(expected.size() > 200'000);
    const BlockReferences list =
        collect_block_references({.bytes = builder.stream().first(16 << 20),
                                  .name = builder.name(0),
                                  .segment_size = builder.options().segment_size});
    const Bytes encoded = encode_block_references(list);
    CHECK(encoded.size() <= block_references_size_max);
    ChangedBlocks changed;
    changed.add(decode_block_references(encoded));
    CHECK(changed.problem().empty());
    for (const auto& [relation, block] : expected)
        if (!changed.contains(relation, block)) FAIL("block " << block << " is lost");
}
