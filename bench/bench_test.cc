#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "bench/machine_limits.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "bench/wal_corpus.h"

#include <catch2/catch.hpp>
#include <unistd.h>

#include <filesystem>

using namespace walden;
using namespace walden::bench;

namespace {

/// A folder that is gone after the test.
struct Scratch {
    Scratch()
        : path(format("{}/walden-bench-test.{}", std::filesystem::temp_directory_path().string(),
                      ::getpid())) {
        make_directories(path);
    }

    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    ~Scratch() { std::filesystem::remove_all(path); }

    std::string path;
};

}  // namespace

TEST_CASE("the spread is median, smallest and largest in any order", "[bench]") {
    const Spread odd = spread_of({3, 1, 9});
    CHECK(odd.median == 3);
    CHECK(odd.min == 1);
    CHECK(odd.max == 9);
    CHECK(spread_of({4, 1, 2, 100}).median == 3);
}

TEST_CASE("alternatives run in turn, after a warm-up of each", "[bench]") {
    std::string order;
    const std::vector<Stage> stages = {{"a", 1000, [&] { order += 'a'; }},
                                       {"b", 0, [&] { order += 'b'; }}};
    const auto figures = measure(stages, {.run_count = 3, .warm_up_count = 1});
    CHECK(order == "abababab");
    REQUIRE(figures.size() == 2);
    CHECK(figures[0].name == "a");
    CHECK(figures[0].run_count == 3);
    CHECK(figures[0].wall_ms.min <= figures[0].wall_ms.median);
    CHECK(figures[0].wall_ms.median <= figures[0].wall_ms.max);
    CHECK(figures[1].mb_per_second() == 0);
}

TEST_CASE("work shows in the CPU time and memory in the peak", "[bench]") {
    constexpr std::size_t size = std::size_t{64} << 20;
    const std::vector<Stage> stages = {{"idle", 0, [] {}},
                                       {"fill", size, [] {
                                            Bytes bytes(size);
                                            std::fill(bytes.begin(), bytes.end(), std::byte{1});
                                            keep(bytes.data());
                                        }}};
    const auto figures = measure(stages, {.run_count = 3, .warm_up_count = 0});
    CHECK(figures[1].cpu_ms.median > figures[0].cpu_ms.median);
    CHECK(figures[1].mb_per_second() > 0);
    CHECK(figures[1].peak_rss_bytes > size);
}

TEST_CASE("JSON lines escape what a name may hold", "[bench]") {
    Figure figure;
    figure.name = "a\"b\\c\n";
    figure.bytes = 2'000'000;
    figure.wall_ms = {2, 1, 4};
    const std::string line = to_json_lines({&figure, 1}, {"c0ffee", "gcc", "box"});
    CHECK_THAT(line, Catch::StartsWith(R"({"name":"a\"b\\c\u000a","bytes":2000000,)"));
    CHECK_THAT(line, Catch::Contains(R"("wall_ms":{"median":2.0000,"min":1.0000,"max":4.0000})"));
    CHECK_THAT(line, Catch::Contains(R"("mb_per_s":1000.0)"));
    CHECK_THAT(line, Catch::EndsWith("\"machine\":\"box\"}\n"));
}

TEST_CASE("a corpus is read whole and in order, and only a complete one", "[bench]") {
    const Scratch scratch;
    CHECK_THROWS_AS(load_wal_corpus(scratch.path, 9), Error);
    write_file_durably(scratch.path + "/corpus.json", as_bytes("{}"), 0600);
    CHECK_THROWS_AS(load_wal_corpus(scratch.path, 9), Error);
    make_directories(scratch.path + "/oltp");
    CHECK_THROWS_AS(load_wal_corpus(scratch.path, 9), Error);
    for (const std::string name : {"2", "1", "3"})
        write_file_durably(format("{}/oltp/{}", scratch.path, name), as_bytes("bytes" + name),
                           0600);
    const auto kinds = load_wal_corpus(scratch.path, 2);
    REQUIRE(kinds.size() == 1);
    CHECK(kinds[0].name == "oltp");
    REQUIRE(kinds[0].segments.size() == 2);
    CHECK(as_text(kinds[0].segments[1].bytes) == "bytes2");
    CHECK(kinds[0].size() == 12);
}

TEST_CASE("every limit of the machine can be measured and leaves no file", "[bench]") {
    const Scratch scratch;
    const Bytes sample = to_bytes(as_bytes(std::string(1 << 20, 'x')));
    MachineLimits limits(sample, scratch.path);
    const auto stages = limits.stages();
    const auto figures = measure(stages, {.run_count = 2, .warm_up_count = 0});
    CHECK(figures.size() == 5);
    for (const Figure& figure : figures) CHECK(figure.mb_per_second() > 0);
    CHECK(std::filesystem::is_empty(scratch.path));
    CHECK_THAT(to_table(figures), Catch::Contains("limit memcpy"));
}
