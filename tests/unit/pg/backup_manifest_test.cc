#include "pg/backup_manifest.h"

#include "base/error.h"
#include "base/format.h"
#include "support/errors.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::pg;

namespace {

const std::string head_1 = "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n";
const std::string head_2 =
    "{ \"PostgreSQL-Backup-Manifest-Version\": 2,\n"
    "\"System-Identifier\": 7428712937123000000,\n\"Files\": [\n";
const std::string files =
    "{ \"Path\": \"backup_label\", \"Size\": 224, \"Last-Modified\": \"2026-11-29 08:00:00 GMT\", "
    "\"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"d70b7c13\" },\n"
    "{ \"Encoded-Path\": \"626173652fe4\", \"Size\": 8589934592, \"Last-Modified\": \"x\" },\n"
    "{ \"Path\": \"a\\\"\\\\\\n\\u0001/\xC3\xA4\", \"Size\": 0, \"Last-Modified\": \"x\", "
    "\"Checksum-Algorithm\": \"SHA256\", \"Checksum\": \"00\" }\n";
const std::string ranges =
    "],\n\"WAL-Ranges\": [\n"
    "{ \"Timeline\": 2, \"Start-LSN\": \"0/3000028\", \"End-LSN\": \"0/4000100\" },\n"
    "{ \"Timeline\": 1, \"Start-LSN\": \"0/2000028\", \"End-LSN\": \"0/3000028\" }\n],\n";

std::string sealed(const std::string& text) {
    Sha256 hash;
    hash.update(as_bytes(text));
    return text + "\"Manifest-Checksum\": \"" + to_hex(hash.finish()) + "\"}\n";
}

struct Parsed {
    std::vector<ManifestFile> files;
    ManifestSummary summary;
};

Parsed parse(std::string_view text, std::size_t piece_size = 32768) {
    Parsed parsed;
    ManifestReader reader([&](const ManifestFile& file) { parsed.files.push_back(file); });
    for (std::size_t at = 0; at < text.size(); at += piece_size)
        reader.feed(as_bytes(text.substr(at, piece_size)));
    parsed.summary = reader.finish();
    return parsed;
}

bool is_refused(const std::string& text) {
    return kind_of([&] { static_cast<void>(parse(text)); }) == ErrorKind::corrupt;
}

}  // namespace

TEST_CASE("both versions of a manifest tell files and WAL, however they are cut (pitfall 35)",
          "[pg][manifest]") {
    for (const std::size_t piece : {1U, 3U, 100U, 32768U})
        for (const int version : {1, 2}) {
            const Parsed parsed =
                parse(sealed((version == 1 ? head_1 : head_2) + files + ranges), piece);
            CHECK(parsed.summary.version == version);
            CHECK(parsed.summary.system_identifier.has_value() == (version == 2));
            CHECK(parsed.summary.system_identifier.value_or(7428712937123000000) ==
                  7428712937123000000);
            REQUIRE(parsed.files.size() == 3);
            CHECK(parsed.files[0].path == "backup_label");
            CHECK(parsed.files[0].size == 224);
            CHECK(parsed.files[0].crc32c == 0x137C0BD7);
            CHECK(parsed.files[1].path == "base/\xE4");
            CHECK(parsed.files[1].size == std::uint64_t{8} << 30);
            CHECK_FALSE(parsed.files[1].crc32c.has_value());
            CHECK(parsed.files[2].path == "a\"\\\n\x01/\xC3\xA4");
            CHECK_FALSE(parsed.files[2].crc32c.has_value());
            REQUIRE(parsed.summary.wal_ranges.size() == 2);
            CHECK(parsed.summary.wal_ranges[1].timeline == 1);
            CHECK(parsed.summary.wal_ranges[1].start == wal::Lsn{0x2000028});
            CHECK(parsed.summary.wal_ranges[1].end == wal::Lsn{0x3000028});
        }
}

TEST_CASE("a manifest that is cut or changed is refused (pitfall 35)", "[pg][manifest]") {
    const std::string whole = sealed(head_2 + files + ranges);
    for (std::size_t size = 0; size < whole.size(); ++size)
        if (!is_refused(whole.substr(0, size))) FAIL_CHECK("cut to " << size);
    for (std::size_t bit = 0; bit < whole.size() * 8; bit += 5) {
        const Bytes flipped = with_bit_flipped(as_bytes(whole), bit);
        // The case of the checksum's hex digits is the one thing that does not matter.
        const bool is_case = bit % 8 == 5 && bit / 8 > whole.rfind(": ");
        if (!is_case && !is_refused(std::string(as_text(flipped)))) FAIL_CHECK("bit " << bit);
    }
    CHECK(is_refused(whole + "x\n"));
    CHECK(is_refused(whole + "x"));
}

TEST_CASE("a manifest that is not understood is refused, whatever its checksum", "[pg][manifest]") {
    const auto with = [](const std::string& from, const std::string& to) {
        std::string text = head_2 + files + ranges;
        const auto place = text.find(from);
        REQUIRE(place != std::string::npos);
        return sealed(text.replace(place, from.size(), to));
    };
    CHECK_FALSE(is_refused(with("224", "225")));
    CHECK(is_refused(with("Version\": 2", "Version\": 3")));
    CHECK(is_refused(with("\"System-Identifier\": 7428712937123000000,\n", "")));
    CHECK(is_refused(with("7428712937123000000", "99999999999999999999")));
    CHECK(is_refused(with("224", "-1")));
    CHECK(is_refused(with("224", "99999999999999999999")));
    CHECK(is_refused(with("\"Size\": 224, ", "")));
    CHECK(is_refused(with("\"Path\": \"backup_label\", ", "")));
    CHECK(is_refused(with("\"backup_label\"", "\"\"")));
    CHECK(is_refused(with("\"Size\": 224", "\"Size\": 224, \"Size\": 224")));
    CHECK(is_refused(with("\"Size\": 224", "\"Size\": [224]")));
    CHECK(is_refused(with("d70b7c13", "d70b7c1")));
    CHECK(is_refused(with("626173652fe4", "626173652fe")));
    CHECK(is_refused(with("626173652fe4", "62617365zze4")));
    CHECK(is_refused(with("\\u0001", "\\u00e4")));
    CHECK(is_refused(with("\\u0001", "\\x01")));
    CHECK(is_refused(with("0/3000028", "3000028")));
    CHECK(is_refused(with("\"WAL-Ranges\"", "\"Ranges\"")));
    CHECK(is_refused(with("backup_label", std::string(20'000, 'x'))));
}
