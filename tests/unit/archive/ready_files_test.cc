#include "archive/ready_files.h"

#include "base/file.h"
#include "support/errors.h"
#include "support/scratch_directory.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::archive;

namespace {

void touch(const std::string& path) {
    NewFile file(path, 0600);
    file.commit_replacing();
}

}  // namespace

TEST_CASE("ready files come in PostgreSQL's order: histories first, then ascending", "[ready]") {
    const testing::ScratchDirectory scratch;
    const std::string status = scratch.path() + "/archive_status";
    make_directories(status);
    for (const char* name :
         {"000000020000000000000008.ready", "000000010000000000000007.ready",
          "00000003.history.ready", "00000002.history.ready", "000000010000000000000006.done",
          "000000010000000000000007.partial.ready",
          "000000010000000000000005.00000028.backup.ready", "garbage.ready",
          "000000010000000000000009.ready.tmp"})
        touch(status + "/" + name);
    CHECK(list_ready_files(scratch.path()) ==
          std::vector<std::string>{"00000002.history", "00000003.history",
                                   "000000010000000000000005.00000028.backup",
                                   "000000010000000000000007", "000000010000000000000007.partial",
                                   "000000020000000000000008"});
    const Backlog backlog = measure_backlog(scratch.path(), list_ready_files(scratch.path()));
    CHECK(backlog.count == 6);
    CHECK(backlog.oldest_age < 60);
    CHECK(measure_backlog(scratch.path(), {"000000010000000000000009"}).count == 0);
}

TEST_CASE("a directory that cannot be read is an error, never an empty queue", "[ready]") {
    const testing::ScratchDirectory scratch;
    CHECK_THROWS_AS(list_ready_files(scratch.path()), Error);
}
