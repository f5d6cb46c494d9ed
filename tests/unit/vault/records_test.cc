#include "vault/records.h"

#include "support/errors.h"

#include <catch2/catch.hpp>

#include <limits>

using namespace walden;
using namespace walden::test;
using namespace walden::vault;

namespace {

Claim sample_claim() {
    Claim claim{.timeline = 0xFFFFFFFE,
                .generation = 3,
                .instance = {},
                .time = -5,
                .host = "db1#4f2c81aa",
                .pgdata = "/srv/pg \xC3\xA4",
                .reason = ClaimReason::adopted};
    claim.instance.fill(std::byte{0x77});
    return claim;
}

ClusterIdentity sample_identity() {
    return {.system_identifier = ~std::uint64_t{0},
            .segment_size = 1U << 30,
            .server_version = 18,
            .time = std::numeric_limits<std::int64_t>::min(),
            .host = ""};
}

template <class Decode>
void check_refuses_damage(const Bytes& record, const Decode& decode) {
    for (std::size_t size = 0; size < record.size(); ++size)
        CHECK(kind_of([&] { static_cast<void>(decode(ByteView(record).first(size))); }) ==
              ErrorKind::corrupt);
    Bytes longer = record;
    longer.push_back(std::byte{0});
    CHECK(kind_of([&] { static_cast<void>(decode(longer)); }) == ErrorKind::corrupt);
    Bytes newer = record;
    store_le(newer.data(), std::uint16_t{2});
    CHECK(kind_of([&] { static_cast<void>(decode(newer)); }) == ErrorKind::usage);
    store_le(newer.data(), std::uint16_t{0});
    CHECK(kind_of([&] { static_cast<void>(decode(newer)); }) == ErrorKind::corrupt);
}

}  // namespace

TEST_CASE("claims and identities come back as they were", "[vault][records]") {
    CHECK(decode_claim(encode_claim(sample_claim())) == sample_claim());
    CHECK(decode_claim(encode_claim(Claim{})) == Claim{});
    CHECK(decode_identity(encode_identity(sample_identity())) == sample_identity());
}

TEST_CASE("truncated, longer and newer records are refused (invariant 40)", "[vault][records]") {
    check_refuses_damage(encode_claim(sample_claim()), decode_claim);
    check_refuses_damage(encode_identity(sample_identity()), decode_identity);
}

TEST_CASE("a claim has one of two reasons", "[vault][records]") {
    Bytes record = encode_claim(sample_claim());
    for (unsigned reason = 0; reason < 256; ++reason) {
        record.back() = static_cast<std::byte>(reason);
        const bool is_fine = !kind_of([&] { static_cast<void>(decode_claim(record)); });
        CHECK(is_fine == (reason == 1 || reason == 2));
    }
}
