#include "codec/wal/container/columns.h"

#include "codec/wal/container/byte_entropy.h"
#include "codec/wal/container/column_model.h"
#include "codec/wal/container/zigzag.h"
#include "tables.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace walden;
using namespace walden::codec;
using namespace walden::codec::wal_codec;

namespace {

/// Lengths around the sixteen rows of a vector, the tile of 1,024 and the sample of 129.
constexpr std::size_t row_counts[] = {1,  2,   15,  16,  17,   31,   33,
                                      64, 129, 130, 193, 1023, 1025, 2500};

Bytes split(ByteView rows, std::size_t row_width, const ColumnModel& model) {
    Bytes planes(model.plane_count() * (rows.size() / row_width));
    split_rows(rows, row_width, model, planes);
    return planes;
}

Bytes join(ByteView planes, ByteView base, const ColumnModel& model, std::size_t row_count) {
    Bytes rows(row_count * base.size());
    join_rows(planes, base, model, rows);
    return rows;
}

ColumnModel chosen_model(ByteView rows, std::size_t row_width) {
    ModelChooser chooser;
    ColumnModel model;
    chooser.choose(rows, row_width, model);
    return model;
}

/// Any model that is valid for a row, whatever the rows hold.
ColumnModel random_model(std::size_t row_width, std::uint64_t seed) {
    Sequence sequence(seed);
    ColumnModel model;
    for (std::size_t offset = 0; offset < row_width;) {
        const std::size_t width = std::size_t{1} << sequence.next() % 4;
        switch (sequence.next() % 3) {
            case 0: offset += 1; break;  // a gap
            case 1:
                model.fields.push_back({static_cast<std::uint16_t>(offset), 1, FieldCoding::raw});
                offset += 1;
                break;
            default:
                if (width > row_width - offset) break;
                model.fields.push_back({static_cast<std::uint16_t>(offset),
                                        static_cast<std::uint8_t>(width), FieldCoding::delta});
                offset += width;
        }
    }
    return model;
}

}  // namespace

TEMPLATE_TEST_CASE("zigzag differences come back and are small for small steps", "[wal_codec]",
                   std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t) {
    constexpr TestType last = std::numeric_limits<TestType>::max();
    const TestType values[] = {0,
                               1,
                               2,
                               100,
                               static_cast<TestType>(last / 2),
                               static_cast<TestType>(last / 2 + 1),
                               static_cast<TestType>(last - 1),
                               last};
    for (const TestType before : values)
        for (const TestType value : values) {
            const TestType coded = zigzag_difference(value, before);
            CHECK(zigzag_apply(coded, before) == value);
        }
    CHECK(zigzag_difference<TestType>(5, 5) == 0);
    CHECK(zigzag_difference<TestType>(4, 5) == 1);
    CHECK(zigzag_difference<TestType>(6, 5) == 2);
    CHECK(zigzag_difference<TestType>(0, last) == 2);
}

TEST_CASE("the cost of a column is its order-0 entropy", "[wal_codec]") {
    ByteEntropy entropy;
    std::vector<std::uint8_t> values(256, 7);
    CHECK(entropy.cost(values.data(), values.size()) == 0);
    for (std::size_t i = 0; i < 256; ++i) values[i] = static_cast<std::uint8_t>(i);
    CHECK(entropy.cost(values.data(), values.size()) == 256 * 8 * cost_per_bit);
    for (std::size_t i = 0; i < 256; ++i) values[i] = i % 4 == 0 ? 1 : 0;
    const double bits = 256 * (0.25 * 2 + 0.75 * std::log2(4.0 / 3));
    CHECK(entropy.cost(values.data(), values.size()) ==
          Approx(bits * cost_per_bit).margin(cost_per_bit));
}

TEST_CASE("bytes that differ in any two rows count as changing, all others do not", "[wal_codec]") {
    const std::size_t row_width = GENERATE(std::size_t{1}, 3, 24, 63, 64, 200, 2048);
    const std::size_t row_count = GENERATE(std::size_t{1}, 2, 31, 32, 33, 34, 65, 100);
    Bytes rows = zero_bytes(row_count * row_width);
    Sequence sequence(row_width * 1000 + row_count);
    for (int change = 0; change < 5; ++change)
        rows[sequence.next() % rows.size()] = static_cast<std::byte>(sequence.next());
    std::vector<std::uint8_t> changes(row_width, 1);
    std::vector<std::uint8_t> expected(row_width, 1);
    find_changes(rows, changes);
    portable::find_changes(rows, expected);
    for (std::size_t j = 0; j < row_width; ++j) {
        bool differs = false;
        for (std::size_t i = 1; i < row_count; ++i)
            differs = differs || rows[i * row_width + j] != rows[j];
        REQUIRE((changes[j] != 0) == differs);
        REQUIRE((expected[j] != 0) == differs);
    }
}

TEST_CASE("random tables of all widths come back from the model chosen for them", "[wal_codec]") {
    const std::size_t row_count =
        GENERATE(from_range(std::begin(row_counts), std::end(row_counts)));
    for (const std::size_t row_width : {1U, 2U, 3U, 5U, 8U, 11U, 16U, 24U, 37U, 129U, 300U}) {
        const Bytes rows = random_table(row_count, row_width, row_count * 31 + row_width);
        const ColumnModel model = chosen_model(rows, row_width);
        const Bytes planes = split(rows, row_width, model);
        REQUIRE(join(planes, ByteView(rows).first(row_width), model, row_count) == rows);
    }
}

TEST_CASE("the vectors and the portable loops agree for any model", "[wal_codec]") {
    const std::size_t row_count =
        GENERATE(from_range(std::begin(row_counts), std::end(row_counts)));
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const std::size_t row_width = 1 + seed * seed % 90;
        const Bytes rows = noise(row_count * row_width, seed);
        const ColumnModel model = random_model(row_width, seed);
        const Bytes planes = split(rows, row_width, model);
        Bytes expected(planes.size());
        portable::split_rows(rows, row_width, model, expected);
        REQUIRE(planes == expected);
        // Planes that no table gave are joined alike, too.
        const Bytes hostile = noise(planes.size(), seed + 1000);
        const ByteView base = ByteView(rows).first(row_width);
        const Bytes joined = join(hostile, base, model, row_count);
        Bytes expected_rows(rows.size());
        portable::join_rows(hostile, base, model, expected_rows);
        REQUIRE(joined == expected_rows);
    }
}

TEST_CASE("a counter becomes a delta of one plane that says the same all the time", "[wal_codec]") {
    constexpr std::size_t row_width = 12;
    constexpr std::size_t row_count = 1000;
    Bytes rows = zero_bytes(row_count * row_width);
    for (std::size_t i = 0; i < row_count; ++i)
        store_le(rows.data() + i * row_width + 4, static_cast<std::uint32_t>(1'000'000 + 3 * i));
    const ColumnModel model = chosen_model(rows, row_width);
    REQUIRE(model.fields.size() == 1);
    CHECK(model.fields[0].coding == FieldCoding::delta);
    CHECK(model.fields[0].offset == 4);
    CHECK(model.fields[0].width >= 2);
    const Bytes planes = split(rows, row_width, model);
    CHECK(planes[0] == std::byte{0});  // the first row is its own predecessor
    for (std::size_t i = 1; i < row_count; ++i) REQUIRE(planes[i] == std::byte{6});
}

TEST_CASE("bytes that never change take no plane, and noise stays raw", "[wal_codec]") {
    constexpr std::size_t row_width = 8;
    Bytes rows = zero_bytes(500 * row_width);
    Sequence sequence(1);
    for (std::size_t i = 0; i < 500; ++i)
        rows[i * row_width + 5] = static_cast<std::byte>(sequence.next() >> 56);
    const ColumnModel model = chosen_model(rows, row_width);
    REQUIRE(model.fields.size() == 1);
    CHECK(model.fields[0] == Field{5, 1, FieldCoding::raw});
    const Bytes same = zero_bytes(500 * row_width);
    CHECK(chosen_model(same, row_width).fields.empty());
}
