#include "recovery/placement.h"

#include "base/file.h"
#include "support/errors.h"
#include "support/scratch_directory.h"

#include <catch2/catch.hpp>
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

using namespace walden;
using namespace walden::test;

namespace {

/// In two parts, the second one first.
void deliver(const std::string& path, ByteView bytes) {
    const std::size_t middle = bytes.size() / 2;
    recovery::Placement placement(path);
    placement.write_at(middle, bytes.subspan(middle));
    placement.write_at(0, bytes.first(middle));
    placement.commit();
}

std::set<std::string> names_in(const std::string& directory) {
    std::set<std::string> names;
    for (const auto& item : std::filesystem::directory_iterator(directory))
        names.insert(item.path().filename().string());
    return names;
}

Bytes some_bytes(std::size_t size = 100'000) {
    return Bytes(size, std::byte{0x42});
}

void check_delivered(const std::string& path) {
    struct stat status {};

    REQUIRE(::lstat(path.c_str(), &status) == 0);
    CHECK(S_ISREG(status.st_mode));
    CHECK(status.st_nlink == 1);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK(equal(*read_file(path, 1 << 20), some_bytes()));
}

/// A file system of 256 KiB, where the process may mount one.
class SmallFileSystem {
public:
    explicit SmallFileSystem(const std::string& path) : path_(path) {
        std::filesystem::create_directory(path);
        is_mounted_ = ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=256k") == 0;
    }

    SmallFileSystem(const SmallFileSystem&) = delete;
    SmallFileSystem& operator=(const SmallFileSystem&) = delete;

    ~SmallFileSystem() {
        if (is_mounted_) ::umount(path_.c_str());
    }

    [[nodiscard]] bool is_mounted() const { return is_mounted_; }

private:
    std::string path_;
    bool is_mounted_ = false;
};

}  // namespace

TEST_CASE("a file is delivered whole, alone and private (invariant 15)", "[recovery][placement]") {
    const testing::ScratchDirectory scratch;
    const std::string name =
        GENERATE("RECOVERYXLOG", "RECOVERYHISTORY", "000000010000000000000001");
    const std::string path = scratch.path() + "/" + name;
    deliver(path, some_bytes());
    check_delivered(path);
    // An existing file is replaced.
    deliver(path, as_bytes("other"));
    deliver(path, some_bytes());
    check_delivered(path);
    CHECK(names_in(scratch.path()) == std::set<std::string>{name});
}

TEST_CASE("what is not committed is not seen, and does not stay", "[recovery][placement]") {
    const testing::ScratchDirectory scratch;
    const std::string path = scratch.path() + "/RECOVERYXLOG";
    deliver(path, some_bytes());
    {
        recovery::Placement placement(path);
        placement.write_at(0, as_bytes("not proven"));
        CHECK(names_in(scratch.path()).size() == 2);
        check_delivered(path);
    }
    check_delivered(path);
    CHECK(names_in(scratch.path()).size() == 1);
}

TEST_CASE("a symbolic link is replaced, not followed (fault 48)", "[recovery][placement]") {
    const testing::ScratchDirectory scratch;
    const std::string victim = scratch.path() + "/victim";
    write_file_durably(victim, as_bytes("precious"), 0600);
    const std::string path = scratch.path() + "/RECOVERYXLOG";
    const std::string target = GENERATE("victim", "nowhere");
    std::filesystem::create_symlink(scratch.path() + "/" + target, path);
    deliver(path, some_bytes());
    check_delivered(path);
    CHECK(as_text(*read_file(victim, 100)) == "precious");
    CHECK_FALSE(std::filesystem::exists(scratch.path() + "/nowhere"));
}

TEST_CASE("a hard link to the old file keeps the old bytes", "[recovery][placement]") {
    const testing::ScratchDirectory scratch;
    const std::string path = scratch.path() + "/RECOVERYXLOG";
    write_file_durably(path, as_bytes("old"), 0644);
    std::filesystem::create_hard_link(path, scratch.path() + "/kept");
    deliver(path, some_bytes());
    check_delivered(path);
    CHECK(as_text(*read_file(scratch.path() + "/kept", 100)) == "old");
}

TEST_CASE("a place that cannot be written is an error that leaves nothing (fault 48)",
          "[recovery][placement]") {
    const testing::ScratchDirectory scratch;
    const std::string name = GENERATE("RECOVERYXLOG", "segment");
    const std::string directory = scratch.path() + "/dir";
    std::filesystem::create_directories(directory + "/" + name + "/full");
    CHECK(kind_of([&] { deliver(directory + "/" + name, some_bytes()); }) == ErrorKind::io);
    CHECK(names_in(directory) == std::set<std::string>{name});
    const std::string missing = scratch.path() + "/none/" + name;
    CHECK(mentions(message_of([&] { deliver(missing, some_bytes()); }), "No such file"));
    CHECK_FALSE(std::filesystem::exists(scratch.path() + "/none"));
}

TEST_CASE("a full disk is an error that leaves nothing, and is over when there is room (fault 47)",
          "[recovery][placement]") {
    const testing::ScratchDirectory scratch;
    const std::string directory = scratch.path() + "/small";
    const SmallFileSystem small(directory);
    if (!small.is_mounted()) {
        WARN("skipped: this process may not mount a file system");
        return;
    }
    const std::string path = directory + "/RECOVERYXLOG";
    CHECK(mentions(message_of([&] { deliver(path, some_bytes(1 << 20)); }), "No space left"));
    CHECK(names_in(directory).empty());
    deliver(path, some_bytes());
    check_delivered(path);
    // What is there stays when the next one does not fit.
    CHECK(kind_of([&] { deliver(path, some_bytes(1 << 20)); }) == ErrorKind::io);
    check_delivered(path);
    CHECK(names_in(directory).size() == 1);
}
