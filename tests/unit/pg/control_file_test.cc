#include "pg/control_file.h"

#include "base/file.h"
#include "base/format.h"
#include "base/hash.h"
#include "support/errors.h"
#include "support/scratch_directory.h"

#include <catch2/catch.hpp>

#include <cstdlib>

using namespace walden;
using namespace walden::test;
using namespace walden::pg;

namespace {

constexpr std::size_t file_size = 8192;

/// A control file with its CRC at `crc_at`, as PostgreSQL of some version would write it.
Bytes make_control(std::size_t crc_at = 288, std::uint32_t state = 6) {
    Bytes bytes(file_size, std::byte{0});
    for (std::size_t i = 0; i < crc_at; ++i) bytes[i] = static_cast<std::byte>(i * 7);
    store_le(bytes.data(), std::uint64_t{7301234567890123456});
    store_le(&bytes[8], std::uint32_t{1300});
    store_le(&bytes[12], std::uint32_t{202209061});
    store_le(&bytes[16], state);
    store_le(&bytes[crc_at], crc32c(ByteView(bytes).first(crc_at)));
    return bytes;
}

}  // namespace

TEST_CASE("a control file tells the cluster, its versions and its state", "[pg][control]") {
    for (const std::size_t crc_at : {240U, 288U, 296U, 320U}) {
        const auto control = parse_control_file(make_control(crc_at));
        REQUIRE(control.has_value());
        CHECK(control->system_identifier == 7301234567890123456);
        CHECK(control->control_version == 1300);
        CHECK(control->catalog_version == 202209061);
        CHECK(control->state == ClusterState::in_production);
    }
    for (std::uint32_t state = 0; state < 10; ++state)
        CHECK(parse_control_file(make_control(288, state)).has_value() == (state <= 6));
}

TEST_CASE("a control file tells what recovery would begin with", "[pg][control]") {
    Bytes bytes = make_control();
    const auto seal = [&] { store_le(&bytes[288], crc32c(ByteView(bytes).first(288))); };
    store_le(&bytes[32], std::uint64_t{0x1A'0200'0060});
    store_le(&bytes[48], std::uint32_t{3});
    store_le(&bytes[136], std::uint64_t{0x1A'0300'0000});
    store_le(&bytes[144], std::uint32_t{4});
    seal();
    const auto control = parse_control_file(bytes);
    CHECK(control->checkpoint == WalPosition{{0x1A'0200'0060}, 3});
    CHECK(control->minimum_recovery == WalPosition{{0x1A'0300'0000}, 4});
    store_le(&bytes[136], std::uint64_t{0});
    seal();
    CHECK_FALSE(parse_control_file(bytes)->minimum_recovery.has_value());
}

TEST_CASE("every flipped bit and every cut of the struct is found (torn reads happen)",
          "[pg][control]") {
    const Bytes bytes = make_control();
    for (std::size_t bit = 0; bit < (288 + 4) * 8; ++bit)
        if (parse_control_file(with_bit_flipped(bytes, bit))) FAIL_CHECK("bit " << bit);
    for (std::size_t size = 0; size < 288 + 4; ++size)
        if (parse_control_file(ByteView(bytes).first(size))) FAIL_CHECK("cut to " << size);
    CHECK_FALSE(parse_control_file(Bytes(file_size, std::byte{0})).has_value());
    CHECK_FALSE(parse_control_file(Bytes(file_size, std::byte{0xFF})).has_value());
    // Half of the new file, half of the old.
    Bytes torn = make_control();
    store_le(&torn[16], std::uint32_t{5});
    CHECK_FALSE(parse_control_file(torn).has_value());
}

TEST_CASE("a control file that stays damaged is an error, a missing one is none", "[pg][control]") {
    const testing::ScratchDirectory scratch;
    CHECK_FALSE(read_control_file(scratch.path()).has_value());
    make_directories(scratch.path() + "/global");
    CHECK_FALSE(read_control_file(scratch.path()).has_value());
    const std::string path = scratch.path() + "/global/pg_control";
    write_file_durably(path, make_control(), 0600);
    CHECK(read_control_file(scratch.path())->system_identifier == 7301234567890123456);
    write_file_durably(path, with_bit_flipped(make_control(), 100), 0600);
    const auto error = error_of([&] { static_cast<void>(read_control_file(scratch.path())); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::corrupt);
    CHECK(mentions(error->message(), path));
    write_file_durably(path, Bytes(1 << 20, std::byte{0}), 0600);
    CHECK(kind_of([&] { static_cast<void>(read_control_file(scratch.path())); }) == ErrorKind::io);
}

namespace {

/// The first 512 bytes of the pg_control that initdb -k --wal-segsize=1 of each release wrote.
Bytes golden_control(int major) {
    const char* const root = std::getenv("WALDEN_SOURCE_ROOT");
    REQUIRE(root != nullptr);
    const auto bytes = read_file(format("{}/tests/golden/pg_control/{}", root, major), 512);
    REQUIRE(bytes.has_value());
    return *bytes;
}

}  // namespace

TEST_CASE("the control files of PostgreSQL 13 to 18 tell the layout of the files",
          "[pg][control]") {
    for (int major = 13; major <= 18; ++major) {
        INFO(major);
        const auto control = parse_control_file(golden_control(major));
        REQUIRE(control.has_value());
        CHECK(major_version_of(control->catalog_version) == major);
        CHECK(control->state == ClusterState::shut_down);
        CHECK(control->geometry ==
              ClusterGeometry{.page_size = 8192,
                              .pages_per_file = 131072,
                              .wal_page_size = 8192,
                              .segment_size = *wal::SegmentSize::from_bytes(1 << 20),
                              .checksum_version = 1});
        CHECK(control->segment_size == wal::SegmentSize::from_bytes(1 << 20));
        // A shutdown checkpoint is where its own replay begins.
        CHECK(control->redo == control->checkpoint.lsn);
        CHECK(control->checkpoint.timeline == 1);
        CHECK(control->has_full_page_writes);
    }
    CHECK_FALSE(major_version_of(202209060).has_value());
}

TEST_CASE("a control file without full page writes says so", "[pg][control]") {
    Bytes bytes = golden_control(15);
    bytes[56] = std::byte{0};
    store_le(&bytes[288], crc32c(ByteView(bytes).first(288)));
    const auto control = parse_control_file(bytes);
    REQUIRE(control.has_value());
    CHECK_FALSE(control->has_full_page_writes);
}

TEST_CASE("an impossible layout is none", "[pg][control]") {
    for (const std::size_t member : {0U, 1U, 3U}) {
        Bytes bytes = golden_control(15);
        std::size_t at = 0;
        while (load_le<std::uint64_t>(&bytes[at]) != 0x4132D68700000000) at += 8;
        store_le(&bytes[at + 8 + 4 * member], std::uint32_t{0});
        store_le(&bytes[288], crc32c(ByteView(bytes).first(288)));
        const auto control = parse_control_file(bytes);
        REQUIRE(control.has_value());
        CHECK_FALSE(control->geometry.has_value());
        CHECK_FALSE(control->segment_size.has_value());
    }
}

TEST_CASE("an unusable control file differs in its checkpoint alone (pitfall 10)",
          "[pg][control]") {
    for (int major = 13; major <= 18; ++major) {
        const Bytes bytes = golden_control(major);
        const Bytes unusable = with_unusable_checkpoint(bytes);
        const auto control = parse_control_file(unusable);
        REQUIRE(control.has_value());
        CHECK(control->checkpoint.lsn == wal::Lsn{0xDEAD});
        CHECK(control->redo == parse_control_file(bytes)->redo);
        std::size_t differing = 0;
        for (std::size_t i = 0; i < bytes.size(); ++i) differing += bytes[i] != unusable[i];
        CHECK(differing <= 8 + 4);
        CHECK(with_unusable_checkpoint(unusable) == unusable);
    }
    for (const Bytes& bytes :
         {Bytes(8192, std::byte{0}), with_bit_flipped(golden_control(15), 300)})
        CHECK(kind_of([&] { static_cast<void>(with_unusable_checkpoint(bytes)); }) ==
              ErrorKind::corrupt);
}
