#include "recovery/nameless_file.h"

#include "base/error.h"
#include "support/errors.h"
#include "support/scratch_directory.h"

#include <catch2/catch.hpp>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

using namespace walden;
using namespace walden::test;
using namespace walden::recovery;

namespace {

Bytes some_bytes() {
    Bytes bytes(3'000'000);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 31);
    return bytes;
}

struct Place {
    testing::ScratchDirectory scratch;
    std::string path = scratch.path() + "/RECOVERYXLOG";

    [[nodiscard]] std::size_t file_count() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(scratch.path()), {}));
    }

    void check_delivered() const {
        struct stat status {};

        REQUIRE(::lstat(path.c_str(), &status) == 0);
        CHECK(S_ISREG(status.st_mode));
        CHECK(status.st_nlink == 1);
        CHECK((status.st_mode & 0777) == 0600);
        CHECK(equal(*read_file(path, 4 << 20), some_bytes()));
        CHECK(file_count() == 1);
    }
};

/// How many pages of it are in memory.
std::size_t pages_in_memory(int fd, std::size_t size) {
    const auto page_size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    REQUIRE(mapped != MAP_FAILED);
    std::vector<unsigned char> pages((size + page_size - 1) / page_size);
    REQUIRE(::mincore(mapped, size, pages.data()) == 0);
    ::munmap(mapped, size);
    return static_cast<std::size_t>(
        std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; }));
}

bool is_in_memory_only(const std::string& directory) {
    struct statfs status {};

    REQUIRE(::statfs(directory.c_str(), &status) == 0);
    return status.f_type == TMPFS_MAGIC;
}

/// Where there is no file system to hold a nameless file: in memory, so that it has to be copied.
const std::string nowhere = "/proc/self/no/such/directory";

}  // namespace

TEST_CASE("a file without a name is in no directory, and gets one name (invariant 15)",
          "[nameless]") {
    const Place place;
    const NamelessFile file(place.scratch.path(), some_bytes(), DiskWrite::complete);
    CHECK(place.file_count() == 0);
    CHECK(file.is_untouched());
    CHECK(deliver_nameless(file.fd(), file.stamp(), place.path));
    place.check_delivered();
    // Used once: it has a name now.
    CHECK_FALSE(file.is_untouched());
    CHECK_FALSE(deliver_nameless(file.fd(), file.stamp(), place.path + "2"));
}

TEST_CASE("a file that cannot be given a name there is copied", "[nameless]") {
    const Place place;
    const NamelessFile file(nowhere, some_bytes());
    CHECK(deliver_nameless(file.fd(), file.stamp(), place.path));
    place.check_delivered();
}

TEST_CASE("a file that was there is replaced, a symbolic link too (fault 48)", "[nameless]") {
    for (const std::string& origin : {std::string(), nowhere}) {
        const Place place;
        std::filesystem::create_symlink("/etc/passwd", place.path);
        const NamelessFile file(origin.empty() ? place.scratch.path() : origin, some_bytes());
        CHECK(deliver_nameless(file.fd(), file.stamp(), place.path));
        place.check_delivered();
    }
}

TEST_CASE("where nothing can be put is an error, and nothing is left (fault 47)", "[nameless]") {
    for (const std::string& origin : {std::string(), nowhere}) {
        const Place place;
        std::filesystem::create_directory(place.path);
        const NamelessFile file(origin.empty() ? place.scratch.path() : origin, some_bytes());
        CHECK(kind_of([&] {
                  static_cast<void>(deliver_nameless(file.fd(), file.stamp(), place.path));
              }) == ErrorKind::io);
        CHECK(place.file_count() == 1);
        CHECK(kind_of([&] {
                  static_cast<void>(
                      deliver_nameless(file.fd(), file.stamp(), place.scratch.path() + "/no/x"));
              }) == ErrorKind::io);
    }
}

TEST_CASE("whatever is written to it is noticed, however soon (fault 50)", "[nameless]") {
    for (const std::string& origin : {std::string(), nowhere})
        for (int how = 0; how < 4; ++how) {
            const Place place;
            const NamelessFile file(origin.empty() ? place.scratch.path() : origin, some_bytes());
            const std::byte other{0x77};
            switch (how) {
                case 0: REQUIRE(::pwrite(file.fd(), &other, 1, 4711) == 1); break;
                case 1: REQUIRE(::ftruncate(file.fd(), 4711) == 0); break;
                case 2:
                    REQUIRE(::ftruncate(file.fd(), 4711) == 0);
                    REQUIRE(::ftruncate(file.fd(), 3'000'000) == 0);
                    break;
                default: REQUIRE(::ftruncate(file.fd(), 3'000'001) == 0); break;
            }
            INFO(origin << how);
            CHECK_FALSE(file.is_untouched());
            CHECK_FALSE(deliver_nameless(file.fd(), file.stamp(), place.path));
            CHECK(place.file_count() == 0);
        }
}

TEST_CASE("what is no ordinary file without a name is not delivered", "[nameless]") {
    const Place place;
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const FileDescriptor reader(ends[0]);
    const FileDescriptor writer(ends[1]);
    CHECK_FALSE(deliver_nameless(reader.get(), {}, place.path));
    CHECK_FALSE(deliver_nameless(-1, {}, place.path));
    CHECK(place.file_count() == 0);
}

TEST_CASE("what was delivered and synced leaves memory, and stays what it is", "[nameless]") {
    const Place place;
    const NamelessFile file(place.scratch.path(), some_bytes(), DiskWrite::complete);
    REQUIRE(deliver_nameless(file.fd(), file.stamp(), place.path));
    CHECK(pages_in_memory(file.fd(), some_bytes().size()) > 0);
    file.release_pages();
    if (!is_in_memory_only(place.scratch.path()))
        CHECK(pages_in_memory(file.fd(), some_bytes().size()) == 0);
    place.check_delivered();
}

TEST_CASE("zeros are reserved rather than written, over other bytes too (fault 47)", "[nameless]") {
    const Place place;
    NamelessFile file(place.scratch.path());
    const Bytes zeros(1 << 20, std::byte{0});
    const Bytes others = some_bytes();
    // A damaged copy may have shown something else at the same place before.
    file.write_at(1 << 20, ByteView(others).first(1 << 20));
    file.write_at(2 << 20, zeros);
    file.write_at(1 << 20, zeros);
    file.write_at(0, ByteView(others).first(1 << 20));
    file.complete(3 << 20, DiskWrite::complete);

    struct stat status {};

    REQUIRE(::fstat(file.fd(), &status) == 0);
    CHECK(status.st_blocks * 512 >= 3 << 20);  // there is no hole that may lack space later
    REQUIRE(deliver_nameless(file.fd(), file.stamp(), place.path));
    Bytes expected(3 << 20, std::byte{0});
    std::copy_n(others.begin(), 1 << 20, expected.begin());
    CHECK(equal(*read_file(place.path, 4 << 20), expected));
}
