#include "wal/page_header.h"

#include "support/wal_builder.h"
#include "wal/segment_identity.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::wal;
using test::WalBuilder;

namespace {

ExpectedIdentity expected_of(const WalBuilder& builder) {
    return {builder.name(0), builder.options().segment_size, builder.options().system_identifier,
            std::uint8_t{15}};
}

Bytes sample() {
    return WalBuilder().record(100).switch_segment().segment(0);
}

}  // namespace

TEST_CASE("each version from 13 to 18 is known by its magic", "[wal][page]") {
    REQUIRE(wal_versions().size() == 6);
    std::uint8_t major = 13;
    constexpr std::uint16_t magics[] = {0xD106, 0xD10D, 0xD110, 0xD113, 0xD116, 0xD118};
    for (const std::uint16_t magic : magics) {
        REQUIRE(find_wal_version(magic) != nullptr);
        CHECK(find_wal_version(magic)->major == major++);
    }
    CHECK(find_wal_version(0) == nullptr);
    CHECK(find_wal_version(0xD107) == nullptr);
    // The image bits moved in version 15 (xlogrecord.h, BKPIMAGE_*).
    CHECK(find_wal_version(0xD10D)->image_applies == 4);
    CHECK(find_wal_version(0xD110)->image_applies == 2);
}

TEST_CASE("the first page tells version, cluster, sizes and place", "[wal][page]") {
    const SegmentHeader header = parse_segment_header(sample()).header.value();
    CHECK(header.major_version == 15);
    CHECK(header.system_identifier == 7'301'234'567'890'123'456);
    CHECK(header.segment_size.bytes() == 1 << 20);
    CHECK(header.page_size == 8192);
    CHECK(header.page.timeline == 1);
    CHECK(header.page.address == Lsn{5 << 20});
}

TEST_CASE("a first page that no server writes is refused with a reason", "[wal][page]") {
    const auto [offset, bits, reason] = GENERATE(table<std::size_t, unsigned, const char*>({
        {0, 1, "page magic"},
        {2, 2, "flags"},  // no long header
        {3, 1, "flags"},  // an unknown flag
        {4, 1, "timeline 0"},
        {34, 0x20, "segment size"},
        {37, 0x40, "page size"},
        {38, 2, "page size"},
    }));
    WalBuilder builder;
    builder.record(100).flip_byte(offset, bits);
    const SegmentHeaderResult result = parse_segment_header(builder.segment(0));
    CHECK_FALSE(result.header);
    CHECK_THAT(result.reason, Catch::Contains(reason));
}

TEST_CASE("a header is parsed from 40 bytes and from no fewer", "[wal][page]") {
    const Bytes segment = sample();
    for (std::size_t size = 0; size < 40; ++size)
        CHECK_FALSE(parse_segment_header(ByteView(segment).first(size)).header);
    CHECK(parse_segment_header(ByteView(segment).first(40)).header);
}

TEST_CASE("a segment is itself", "[wal][identity]") {
    const WalBuilder builder = WalBuilder().record(100);
    CHECK_FALSE(check_segment_identity(builder.segment(0), expected_of(builder)));
    ExpectedIdentity unknown_cluster = expected_of(builder);
    unknown_cluster.system_identifier.reset();
    unknown_cluster.major_version.reset();
    CHECK_FALSE(check_segment_identity(builder.segment(0), unknown_cluster));
}

TEST_CASE("an older timeline in the header is right: the segment forked from it",
          "[wal][identity]") {
    const WalBuilder builder = WalBuilder().record(100);
    ExpectedIdentity expected = expected_of(builder);
    expected.name.timeline = 7;
    CHECK_FALSE(check_segment_identity(builder.segment(0), expected));
}

TEST_CASE("a segment of another cluster is foreign and both are named (faults 23, 42)",
          "[wal][identity]") {
    const WalBuilder builder = WalBuilder().record(100);
    ExpectedIdentity expected = expected_of(builder);
    expected.system_identifier = 6907;
    const auto mismatch = check_segment_identity(builder.segment(0), expected);
    REQUIRE(mismatch);
    CHECK(mismatch->problem == IdentityProblem::system_identifier);
    CHECK(mismatch->expected == 6907);
    CHECK(mismatch->found == 7'301'234'567'890'123'456);
    CHECK_THAT(mismatch->text, Catch::Contains("6907") && Catch::Contains("7301234567890123456"));
    CHECK(error_kind(mismatch->problem) == ErrorKind::foreign);
}

TEST_CASE("a segment under another name is foreign (faults 11, 42)", "[wal][identity]") {
    const WalBuilder builder({.first = {3, 5}});
    const Bytes segment = WalBuilder({.first = {3, 5}}).record(100).segment(0);
    ExpectedIdentity expected = expected_of(builder);
    ++expected.name.segment_number;
    const auto other_number = check_segment_identity(segment, expected);
    REQUIRE(other_number);
    CHECK(other_number->problem == IdentityProblem::page_address);
    CHECK_THAT(other_number->text, Catch::Contains("0/500000") && Catch::Contains("0/600000"));
    CHECK(error_kind(other_number->problem) == ErrorKind::foreign);

    expected = expected_of(builder);
    expected.name.timeline = 2;
    const auto newer = check_segment_identity(segment, expected);
    REQUIRE(newer);
    CHECK(newer->problem == IdentityProblem::timeline);

    expected = expected_of(builder);
    expected.major_version = 16;
    CHECK(check_segment_identity(segment, expected)->problem == IdentityProblem::major_version);

    expected = expected_of(builder);
    expected.segment_size = SegmentSize();
    CHECK(check_segment_identity(segment, expected)->problem == IdentityProblem::segment_size);
}

TEST_CASE("zeros and files of the wrong size are corrupt (faults 11, 41)", "[wal][identity]") {
    const WalBuilder builder = WalBuilder().record(100);
    Bytes segment = builder.segment(0);
    segment.resize(segment.size() - 1);
    const auto shorter = check_segment_identity(segment, expected_of(builder));
    REQUIRE(shorter);
    CHECK(shorter->problem == IdentityProblem::file_size);
    CHECK(error_kind(shorter->problem) == ErrorKind::corrupt);
    segment.resize(segment.size() + 8193);
    CHECK(check_segment_identity(segment, expected_of(builder))->problem ==
          IdentityProblem::file_size);

    const Bytes zeros = Bytes(1 << 20, std::byte{0});
    const auto blank = check_segment_identity(zeros, expected_of(builder));
    REQUIRE(blank);
    CHECK(blank->problem == IdentityProblem::unreadable_header);
    CHECK(error_kind(blank->problem) == ErrorKind::corrupt);
    CHECK(check_segment_identity({}, expected_of(builder))->problem ==
          IdentityProblem::unreadable_header);
}
