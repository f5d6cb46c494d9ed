#include "archive/previous_segment.h"

#include "base/file.h"
#include "support/scratch_directory.h"
#include "support/wal_builder.h"
#include "wal/segment_examiner.h"

#include <catch2/catch.hpp>
#include <sys/stat.h>

using namespace walden;
using namespace walden::archive;
using namespace walden::test;
using walden::testing::ScratchDirectory;

namespace {

constexpr std::size_t segment_size = 1 << 20;

/// Two segments with a record of 3000 bytes in both.
WalBuilder straddling() {
    WalBuilder builder;
    builder.fill(200, 9000);
    builder.record(static_cast<std::uint32_t>(segment_size - builder.end_offset() - 1000));
    builder.record(3000).switch_segment();
    return builder;
}

wal::SegmentInput second_of(const WalBuilder& builder) {
    return {.bytes = builder.stream().subspan(segment_size, segment_size),
            .name = builder.name(1),
            .segment_size = builder.options().segment_size};
}

std::string path_of_first(const ScratchDirectory& directory, const WalBuilder& builder) {
    return directory.path() + "/" + wal::to_string(builder.name(0), builder.options().segment_size);
}

}  // namespace

TEST_CASE("the end of the segment before is read from the same directory", "[archive]") {
    const ScratchDirectory directory;
    const WalBuilder builder = straddling();
    CHECK(read_end_of_previous(directory.path(), second_of(builder)).empty());
    write_file_durably(path_of_first(directory, builder), builder.segment(0), 0600);
    const Bytes end = read_end_of_previous(directory.path(), second_of(builder));
    CHECK(equal(end, builder.stream().first(segment_size).last(wal::previous_end_size)));
    CHECK(wal::examine_segment(second_of(builder), end).references.carried ==
          wal::Carried::resolved);
}

TEST_CASE("nothing is read where no record comes in from the segment before", "[archive]") {
    const ScratchDirectory directory;
    WalBuilder builder;
    builder.fill_exactly().record(100).switch_segment();
    write_file_durably(path_of_first(directory, builder), builder.segment(0), 0600);
    CHECK(read_end_of_previous(directory.path(), second_of(builder)).empty());
}

TEST_CASE("what has the name of the segment before and is none is left aside", "[archive]") {
    const ScratchDirectory directory;
    const WalBuilder builder = straddling();
    const std::string path = path_of_first(directory, builder);
    SECTION("a shorter file") {
        write_file_durably(path, ByteView(builder.segment(0)).first(8192), 0600);
    }
    SECTION("a directory") {
        make_directories(path);
    }
    SECTION("a FIFO, which must not be waited for") {
        REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    }
    CHECK(read_end_of_previous(directory.path(), second_of(builder)).empty());
}
