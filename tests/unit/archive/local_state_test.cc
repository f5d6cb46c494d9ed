#include "archive/local_state.h"

#include "base/file.h"
#include "support/archive_fixture.h"
#include "support/errors.h"
#include "support/memory_storage.h"

#include <catch2/catch.hpp>
#include <sys/stat.h>

#include <filesystem>

using namespace walden;
using namespace walden::test;
using archive::LocalState;
using testing::ScratchDirectory;

namespace {

LocalState::Owner owner() {
    return {.repository = test_repository(), .system_identifier = 7, .pgdata = "/srv/pg"};
}

LocalState open(const ScratchDirectory& scratch, const LocalState::Owner& who = owner()) {
    return {scratch.path() + "/deep/state", "main", who};
}

/// A state file with everything in it.
LocalState make(const ScratchDirectory& scratch) {
    LocalState state = open(scratch);
    state.set_membership(1, 2);
    state.set_membership(0xFFFFFFFF, 1);
    crypto::ContentId id;
    id.bytes.fill(std::byte{9});
    state.set_last_archived({.file_name = "000000010000000000000005", .content_id = id});
    REQUIRE(state.save());
    return state;
}

bool is_fresh(const LocalState& state, const LocalState& before) {
    return state.instance() != before.instance() && state.membership(1) == 0 &&
           !state.last_archived();
}

}  // namespace

TEST_CASE("local state comes back", "[archive][state]") {
    const ScratchDirectory scratch;
    const LocalState before = make(scratch);
    CHECK(before.path() == scratch.path() + "/deep/state/main-7.state");
    const LocalState state = open(scratch);
    CHECK(state.instance() == before.instance());
    CHECK(state.membership(1) == 2);
    CHECK(state.membership(0xFFFFFFFF) == 1);
    CHECK(state.membership(2) == 0);
    CHECK(state.last_archived()->file_name == "000000010000000000000005");
    CHECK(state.last_archived()->content_id == before.last_archived()->content_id);

    struct stat status {};

    REQUIRE(::stat(state.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    std::size_t file_count = 0;
    for (const auto& item : std::filesystem::directory_iterator(scratch.path() + "/deep/state"))
        file_count += item.exists() ? 1U : 0U;
    CHECK(file_count == 1);
}

TEST_CASE("state of another repository, cluster or data directory is not ours (fault 27)",
          "[archive][state]") {
    const ScratchDirectory scratch;
    const LocalState before = make(scratch);
    LocalState::Owner other = owner();
    other.repository[3] ^= std::byte{1};
    CHECK(is_fresh(open(scratch, other), before));
    other = owner();
    other.pgdata = "/srv/pg2";
    CHECK(is_fresh(open(scratch, other), before));
    other = owner();
    other.system_identifier = 8;
    CHECK(is_fresh(open(scratch, other), before));
    std::filesystem::rename(before.path(), scratch.path() + "/deep/state/main-8.state");
    CHECK(is_fresh(open(scratch, other), before));
    CHECK(is_fresh(open(scratch), before));
}

TEST_CASE("every flipped bit, cut and extension of the file is the same as its loss (fault 27)",
          "[archive][state]") {
    const ScratchDirectory scratch;
    const LocalState before = make(scratch);
    const Bytes bytes = *read_file(before.path(), 1 << 16);
    const auto try_bytes = [&](ByteView spoilt) {
        NewFile file(before.path(), 0600);
        file.write(spoilt);
        file.commit_replacing();
        return is_fresh(open(scratch), before);
    };
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit)
        if (!try_bytes(with_bit_flipped(bytes, bit))) FAIL_CHECK("bit " << bit);
    for (std::size_t size = 0; size < bytes.size(); ++size)
        if (!try_bytes(ByteView(bytes).first(size))) FAIL_CHECK("cut to " << size);
    Bytes longer = bytes;
    longer.push_back(std::byte{0});
    CHECK(try_bytes(longer));
    CHECK(try_bytes(Bytes(100'000, std::byte{0})));
    CHECK_FALSE(try_bytes(bytes));
}

TEST_CASE("something else in the file's place is the same as its loss (fault 27)",
          "[archive][state]") {
    const ScratchDirectory scratch;
    const LocalState before = make(scratch);
    std::filesystem::remove(before.path());
    SECTION("a directory") {
        std::filesystem::create_directory(before.path());
        const LocalState state = open(scratch);
        CHECK(is_fresh(state, before));
        CHECK_FALSE(state.save());
    }
    SECTION("a FIFO") {
        REQUIRE(::mkfifo(before.path().c_str(), 0600) == 0);
        const LocalState state = open(scratch);
        CHECK(is_fresh(state, before));
        CHECK(state.save());
        CHECK(open(scratch).instance() == state.instance());
    }
    SECTION("a dangling symbolic link") {
        std::filesystem::create_symlink("/nonexistent/x", before.path());
        CHECK(is_fresh(open(scratch), before));
        CHECK(open(scratch).save());
    }
}

TEST_CASE("archiving goes on where state cannot be written (invariants 2 and 39, fault 9)",
          "[archive][state]") {
    const ScratchDirectory scratch;
    storage::MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const Host host;
    // A file where the directory would be: also root cannot write below it.
    host.put_file({"000000010000000000000001", {}});
    write_file_durably(parent_directory(host.wal_directory()) + "/state", {}, 0600);
    for (const WalFile& file : make_line({.record_count = 5})) {
        const auto result = host.push(vault, file);
        CHECK(result.outcome == archive::ArchiveOutcome::stored);
        REQUIRE(result.warnings.size() == 1);
        CHECK(mentions(result.warnings[0], "archiving works without it"));
    }
    CHECK(problems_of(verify(vault)).empty());
}
