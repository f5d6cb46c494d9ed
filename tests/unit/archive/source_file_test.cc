#include "archive/source_file.h"

#include "base/file.h"
#include "support/errors.h"
#include "support/scratch_directory.h"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

using namespace walden;
using namespace walden::test;
using archive::read_source_file;

namespace {

std::optional<ErrorKind> failure_of(const std::string& path) {
    return kind_of([&] { static_cast<void>(read_source_file(path, 1 << 20)); });
}

}  // namespace

TEST_CASE("a source file is read whole", "[archive][source]") {
    const testing::ScratchDirectory scratch;
    const std::string path = scratch.path() + "/file";
    for (const std::size_t size : {0U, 1U, 1U << 20}) {
        write_file_durably(path, Bytes(size, std::byte{7}), 0600);
        CHECK(read_source_file(path, 1 << 20) == Bytes(size, std::byte{7}));
    }
    write_file_durably(path, Bytes((1 << 20) + 1, std::byte{7}), 0600);
    CHECK(failure_of(path) == ErrorKind::io);
}

TEST_CASE("what is no ordinary file is refused at once (fault 10)", "[archive][source]") {
    const testing::ScratchDirectory scratch;
    CHECK(failure_of(scratch.path()) == ErrorKind::io);
    CHECK(failure_of(scratch.path() + "/none") == ErrorKind::io);
    CHECK(failure_of("/dev/zero") == ErrorKind::io);
    const std::string fifo = scratch.path() + "/fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(failure_of(fifo) == ErrorKind::io);
}

TEST_CASE("a file that is written to while it is read is refused (fault 12)", "[archive][source]") {
    const testing::ScratchDirectory scratch;
    const std::string path = scratch.path() + "/file";
    constexpr std::size_t size = 4 << 20;
    write_file_durably(path, Bytes(size, std::byte{0}), 0600);
    std::atomic<bool> is_done{false};
    std::jthread writer([&] {
        const Bytes bytes(size, std::byte{1});
        const FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
        while (!is_done) {
            // By size: the kernel's clock for modification times is too coarse to rely on here.
            write_all(fd.get(), ByteView(bytes).first(100), path);
            if (::ftruncate(fd.get(), size) != 0) return;
        }
    });
    std::size_t refused = 0;
    for (int i = 0; i < 5000 && refused == 0; ++i)
        if (kind_of([&] { static_cast<void>(read_source_file(path, 2 * size)); }) == ErrorKind::io)
            ++refused;
    is_done = true;
    CHECK(refused > 0);
}
