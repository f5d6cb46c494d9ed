#include "vault/descriptor.h"

#include "base/format.h"
#include "base/hash.h"
#include "support/archive_fixture.h"
#include "support/errors.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::vault;

namespace {

Descriptor sample() {
    return {.id = test_repository(),
            .suite = crypto::Suite::aes_256_gcm,
            .fencing_proven = true,
            .created = "2026-11-22T14:32:00Z"};
}

Descriptor decode(const std::string& text) {
    return decode_descriptor(as_bytes(text));
}

std::string with_checksum(const std::string& body) {
    return format("{}checksum: {:08x}\n", body, crc32c(as_bytes(body)));
}

/// The sample's text with `from` replaced and the checksum that fits.
std::string changed(const std::string& from, const std::string& to) {
    std::string text = encode_descriptor(sample());
    text.resize(text.find("checksum: "));
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return with_checksum(text.replace(at, from.size(), to));
}

}  // namespace

TEST_CASE("a descriptor is the text of FORMAT.md", "[vault][descriptor]") {
    CHECK(
        encode_descriptor(sample()) ==
        with_checksum("walden repository\nformat: 1\nid: " +
                      std::string(16 * 2, '5').replace(0, 32, "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a") +
                      "\nencryption: aes-256-gcm\nfencing: proven\n"
                      "created: 2026-11-22T14:32:00Z\n"));
    for (const auto suite : {crypto::Suite::none, crypto::Suite::aes_256_gcm})
        for (const bool is_fenced : {false, true}) {
            Descriptor descriptor = sample();
            descriptor.suite = suite;
            descriptor.fencing_proven = is_fenced;
            CHECK(decode(encode_descriptor(descriptor)) == descriptor);
        }
}

TEST_CASE("every flipped bit and every truncation of a descriptor is found",
          "[vault][descriptor]") {
    const std::string text = encode_descriptor(sample());
    for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
        const Bytes flipped = with_bit_flipped(as_bytes(text), bit);
        if (kind_of([&] { static_cast<void>(decode_descriptor(flipped)); }) != ErrorKind::corrupt)
            FAIL_CHECK("bit " << bit);
    }
    for (std::size_t size = 0; size < text.size(); ++size)
        if (kind_of([&] { static_cast<void>(decode(text.substr(0, size))); }) != ErrorKind::corrupt)
            FAIL_CHECK("cut to " << size);
    CHECK(kind_of([&] { static_cast<void>(decode(text + "\n")); }) == ErrorKind::corrupt);
    CHECK(kind_of([&] { static_cast<void>(decode(text + text)); }) == ErrorKind::corrupt);
}

TEST_CASE("a newer descriptor is refused with the advice to upgrade (invariant 40)",
          "[vault][descriptor]") {
    const auto error =
        error_of([] { static_cast<void>(decode(changed("format: 1", "format: 2"))); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::usage);
    CHECK(error->hint() == "Upgrade walden on this host.");
    // Whatever else a newer one may hold.
    CHECK(kind_of([] {
              static_cast<void>(decode(changed("format: 1\n", "format: 7\nregion: moon\n")));
          }) == ErrorKind::usage);
}

TEST_CASE("another spelling of the same values is no descriptor", "[vault][descriptor]") {
    const std::vector<std::pair<std::string, std::string>> spellings = {
        {"format: 1", "format: 01"},
        {"format: 1", "format: 0"},
        {"format: 1", "format: one"},
        {"format: 1", "format: 99999999999999999999"},
        {"id: 5a", "id: 5A"},
        {"id: 5a", "id: 5"},
        {"id: 5a", "id: zz"},
        {"aes-256-gcm", "aes"},
        {"fencing: proven", "fencing: maybe"},
        {"fencing: proven\n", ""},
        {"fencing: proven\n", "fencing: proven\nfencing: proven\n"},
        {"created: 2026", "created: 2O26"},
        {"created: 2026-11-22T14:32:00Z", "created: \x1b[2J"},
        {"\nid", "\r\nid"},
        {"walden repository", "Walden repository"},
    };
    for (const auto& [from, to] : spellings) {
        INFO(from << " -> " << to);
        CHECK(kind_of([&, &from = from, &to = to] {
                  static_cast<void>(decode(changed(from, to)));
              }) == ErrorKind::corrupt);
    }
    std::string upper = encode_descriptor(sample());
    const std::size_t at = upper.find("checksum: ") + 10;
    for (std::size_t i = at; i < upper.size(); ++i)
        upper[i] = static_cast<char>(std::toupper(upper[i]));
    if (upper != encode_descriptor(sample()))
        CHECK(kind_of([&] { static_cast<void>(decode(upper)); }) == ErrorKind::corrupt);
}
