#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/parallel.h"

#include <catch2/catch.hpp>
#include <limits.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

using namespace walden;

TEST_CASE("crc32c gives the check value of the Castagnoli polynomial", "[base][crc]") {
    CHECK(crc32c(as_bytes("123456789")) == 0xE3069283);
    CHECK(crc32c({}) == 0);
}

TEST_CASE("crc32c of pieces equals crc32c of the whole at every length and cut", "[base][crc]") {
    // Bit by bit, as the definition has it: slow and obviously right.
    const auto reference = [](ByteView bytes) {
        std::uint32_t crc = 0xFFFFFFFF;
        for (const std::byte b : bytes) {
            crc ^= static_cast<std::uint32_t>(b);
            for (int i = 0; i < 8; ++i) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82F63B78 : crc >> 1;
        }
        return crc ^ 0xFFFFFFFF;
    };
    Bytes bytes(20'000);
    std::uint32_t state = 1;
    for (std::byte& b : bytes)
        b = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
    std::vector<std::size_t> sizes = {3071, 3072, 3073, 6150, 20'000};
    for (std::size_t size = 0; size < 50; ++size) sizes.push_back(size);
    for (const std::size_t size : sizes) {
        const ByteView view = ByteView(bytes).first(size);
        CHECK(crc32c(view) == reference(view));
        const std::size_t cut = size / 3;
        CHECK(crc32c_finish(crc32c_update(crc32c_update(crc32c_start, view.first(cut)),
                                          view.subspan(cut))) == reference(view));
        CHECK(crc32c(view.first(cut), view.subspan(cut)) == reference(view));
    }
}

TEST_CASE("a reader that ran out stays failed and returns zeros", "[base][bytes]") {
    const std::byte raw[] = {std::byte{1}, std::byte{2}, std::byte{3}};
    ByteReader reader(raw);
    CHECK(reader.read<std::uint16_t>() == 0x0201);
    CHECK(reader.ok());
    CHECK(reader.read<std::uint32_t>() == 0);
    CHECK_FALSE(reader.ok());
    CHECK(reader.read<std::uint8_t>() == 0);
    CHECK(reader.remaining() == 0);
}

TEST_CASE("hex round trips and refuses odd lengths and strangers", "[base][bytes]") {
    std::byte out[2];
    CHECK(parse_hex("0aFf", out));
    CHECK(to_hex(out) == "0aff");
    CHECK_FALSE(parse_hex("0af", out));
    CHECK_FALSE(parse_hex("0agf", out));
}

TEST_CASE("for_each_index_in_parallel rethrows the first failure", "[base][parallel]") {
    // More items than could ever run: that the call returns at all shows that the hand-out stopped,
    // however late the failing worker is scheduled.
    constexpr std::size_t endless = std::size_t{1} << 50;
    CHECK_THROWS_AS(for_each_index_in_parallel(endless, 4,
                                               [](std::size_t i) {
                                                   if (i == 3) throw Error(ErrorKind::io, "no");
                                               }),
                    Error);
}

TEST_CASE("run_beside runs both and prefers the caller's failure", "[base][parallel]") {
    for (const std::size_t worker_count : {1U, 2U}) {
        int aside = 0;
        int body = 0;
        run_beside(
            worker_count, [&] { ++aside; }, [&] { ++body; });
        CHECK((aside == 1 && body == 1));
        const auto fail = [](const char* text) { throw Error(ErrorKind::io, text); };
        const auto nothing = [] {};
        CHECK_THROWS_WITH(run_beside(
                              worker_count, [&] { fail("aside"); }, [&] { fail("body"); }),
                          "body");
        CHECK_THROWS_WITH(run_beside(
                              worker_count, [&] { fail("aside"); }, nothing),
                          "aside");
        CHECK_THROWS_WITH(run_beside(worker_count, nothing, [&] { fail("body"); }), "body");
    }
}

TEST_CASE("large buffers keep their bytes while they grow and shrink", "[base][bytes]") {
    Bytes bytes;
    for (std::size_t size = 1; size < (9U << 20); size = size * 3 + 7) {
        const std::size_t before = bytes.size();
        bytes.resize(size);
        for (std::size_t i = before; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 131 >> 4);
    }
    bytes.resize((1U << 20) + 1);
    bytes.shrink_to_fit();
    const Bytes copy = bytes;
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < copy.size(); ++i)
        wrong += copy[i] != static_cast<std::byte>(i * 131 >> 4) ? 1U : 0U;
    CHECK(wrong == 0);
    CHECK_THROWS_AS(allocate_large_memory(SIZE_MAX / 4, 4), std::bad_alloc);
}

TEST_CASE("freed large memory waits for the next buffer of its size, up to a limit",
          "[base][bytes]") {
    constexpr std::size_t size = std::size_t{4} << 20;
    keep_large_memory(2 * size);
    std::vector<Bytes> buffers(3);
    for (Bytes& buffer : buffers) buffer.resize(size);
    const std::byte* const second = buffers[1].data();
    const std::byte* const third = buffers[2].data();
    for (Bytes& buffer : buffers) buffer = Bytes();
    // Another size is another block; of its own size the one freed last comes first, and the oldest
    // is not there any more.
    buffers[0].resize(size / 2);
    buffers[1].resize(size - 1);
    buffers[2].resize(size - 2);
    // The sanitizers have an allocator of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    constexpr bool is_kept = false;
#else
    constexpr bool is_kept = true;
#endif
    if (is_kept) {
        CHECK(buffers[1].data() == third);
        CHECK(buffers[2].data() == second);
    }
    std::memset(buffers[1].data(), 1, buffers[1].size());
    std::memset(buffers[2].data(), 2, buffers[2].size());
    CHECK(std::to_integer<int>(buffers[1].back()) == 1);
    keep_large_memory(0);
}

TEST_CASE("a directory that cannot be asked for has no parents made", "[base][file]") {
    const std::string dir = std::filesystem::temp_directory_path() /
                            ("walden-base-parents-" + std::to_string(::getpid()));
    std::string too_long = dir;
    while (too_long.size() <= PATH_MAX) too_long += "/" + std::string(200, 'x');
    CHECK_THROWS_AS(make_directories(too_long), Error);
    CHECK_FALSE(std::filesystem::exists(dir));
    make_directories(dir + "/a/b");
    CHECK(std::filesystem::is_directory(dir + "/a/b"));
    std::filesystem::remove_all(dir);
}

TEST_CASE("NewFile without commit leaves nothing behind", "[base][file]") {
    const std::string dir =
        std::filesystem::temp_directory_path() / ("walden-base-test-" + std::to_string(::getpid()));
    make_directories(dir);
    {
        NewFile file(dir + "/a", 0600);
        file.write(as_bytes("half"));
    }
    CHECK(std::filesystem::is_empty(dir));
    {
        NewFile file(dir + "/a", 0600);
        file.write(as_bytes("whole"));
        file.sync();
        CHECK(file.commit_new());
    }
    {
        NewFile file(dir + "/a", 0600);
        file.write(as_bytes("other"));
        CHECK_FALSE(file.commit_new());
    }
    CHECK(as_text(*read_file(dir + "/a", 100)) == "whole");
    CHECK_THROWS_AS(read_file(dir + "/a", 4), Error);
    CHECK_THROWS_AS(read_file(dir, 100), Error);
    CHECK_FALSE(read_file(dir + "/b", 100).has_value());
    std::filesystem::remove_all(dir);
}
