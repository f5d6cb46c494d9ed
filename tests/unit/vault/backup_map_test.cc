#include "vault/backup_map.h"

#include "base/format.h"
#include "support/errors.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::vault;

namespace {

constexpr std::uint32_t page_size = 8192;

BackupId id_of(unsigned n) {
    return *parse_backup_id(format("20261129-0800{:02}-00ff", n));
}

crypto::PageTag tag_of(unsigned n) {
    crypto::PageTag tag{};
    store_le(tag.data(), std::uint64_t{n});
    return tag;
}

/// Five pages, the last one of 100 bytes: two in one unit, one of zeros, two in another unit.
Section sample_section() {
    Section section;
    section.packs = {{.backup = id_of(1), .number = 7}, {.backup = id_of(2), .number = 1}};
    section.units = {{.pack = 0,
                      .offset = 1000,
                      .stored_size = 500,
                      .plain_size = 3 * page_size,
                      .codec = codec::CodecId::zstd},
                     {.pack = 1,
                      .offset = 0,
                      .stored_size = 8292,
                      .plain_size = page_size + 100,
                      .codec = codec::CodecId::none}};
    section.runs = {{.page_count = 2, .unit = 0, .plain_offset = page_size},
                    {.page_count = 1, .unit = std::nullopt, .plain_offset = 0},
                    {.page_count = 2, .unit = 1, .plain_offset = 0}};
    for (unsigned i = 0; i < 5; ++i) section.tags.push_back(tag_of(i));
    return section;
}

constexpr SectionShape sample_shape{.page_size = page_size, .byte_size = 4 * page_size + 100};

IndexEntry directory(const std::string& path) {
    IndexEntry entry;
    entry.path = path;
    entry.type = BackupFileType::directory;
    entry.mode = 0700;
    return entry;
}

IndexEntry file(const std::string& path, unsigned map, std::uint64_t size = 100) {
    IndexEntry entry;
    entry.path = path;
    entry.mode = 0600;
    entry.size = size;
    entry.modified = -5;
    entry.is_relation = true;
    for (std::uint64_t i = 0; i < section_count(size, page_size); ++i) {
        SectionRef section;
        section.map = {.backup = id_of(map), .number = map, .sha256 = {}};
        section.map.sha256.fill(static_cast<std::byte>(map));
        section.offset = 2;
        section.size = 60;
        section.uses = {{.pack = {.backup = id_of(1), .number = 3}, .bytes = 17}};
        entry.sections.push_back(section);
    }
    return entry;
}

std::vector<IndexEntry> sample_entries() {
    IndexEntry link;
    link.path = "pg_tblspc/16384";
    link.type = BackupFileType::tablespace_link;
    link.mode = 0777;
    link.target = "/srv/fast";
    return {directory("base"),
            directory("base/1"),
            file("base/1/112", 1),
            file("base/1/113", 2, 0),
            file("base/1/2619", 1, std::uint64_t{200} << 20),
            link};
}

Bytes encode(const std::vector<IndexEntry>& entries) {
    IndexPartWriter writer(page_size);
    for (const IndexEntry& entry : entries) writer.add(entry);
    return writer.finish([](const MapRef&) { return std::array<std::byte, 32>{}; });
}

std::vector<IndexEntry> decode(ByteView bytes) {
    IndexPartReader reader(to_bytes(bytes), page_size);
    std::vector<IndexEntry> entries;
    while (auto entry = reader.next()) entries.push_back(*std::move(entry));
    return entries;
}

BackupUsage sample_usage() {
    return {{.owner = id_of(1),
             .maps = {2, 5},
             .packs = {{.number = 1, .encoded_size = 1000, .used = 500},
                       {.number = 9, .encoded_size = 16 << 20, .used = 16 << 20}}},
            {.owner = id_of(2), .maps = {}, .packs = {}}};
}

/// Every truncation and every flipped bit ends in a value or in Error(corrupt | usage).
template <class Decode>
void check_hostile(const Bytes& sound, const Decode& decode_bytes) {
    for (std::size_t size = 0; size < sound.size(); ++size) {
        const auto kind = kind_of([&] { decode_bytes(ByteView(sound).first(size)); });
        if (kind != ErrorKind::corrupt) FAIL_CHECK("cut to " << size);
    }
    for (std::size_t bit = 0; bit < sound.size() * 8; ++bit) {
        const auto kind = kind_of([&] { decode_bytes(with_bit_flipped(sound, bit)); });
        if (kind && kind != ErrorKind::corrupt && kind != ErrorKind::usage)
            FAIL_CHECK("bit " << bit);
    }
    Bytes longer = sound;
    longer.push_back(std::byte{0});
    CHECK(kind_of([&] { decode_bytes(longer); }) == ErrorKind::corrupt);
}

}  // namespace

TEST_CASE("a section comes back as it was", "[vault][backup]") {
    const Section section = sample_section();
    const Bytes encoded = encode_section(section);
    CHECK(decode_section(encoded, sample_shape) == section);
    check_hostile(encoded,
                  [](ByteView bytes) { static_cast<void>(decode_section(bytes, sample_shape)); });
}

TEST_CASE("a section that leads out of its bytes is refused", "[vault][backup]") {
    const auto refused = [](const Section& section, const SectionShape& shape = sample_shape) {
        const Bytes encoded = encode_section(section);
        return kind_of([&] { static_cast<void>(decode_section(encoded, shape)); }) ==
               ErrorKind::corrupt;
    };
    CHECK_FALSE(refused(sample_section()));
    Section section = sample_section();
    section.runs[0].plain_offset = 2 * page_size + 1;
    CHECK(refused(section));  // a run that leaves its unit
    section = sample_section();
    section.runs[2].unit = 2;
    CHECK(refused(section));  // a unit that is none
    section = sample_section();
    section.units[0].pack = 2;
    CHECK(refused(section));
    section = sample_section();
    section.units[0].plain_size = unit_size_max + 1;
    CHECK(refused(section));
    section = sample_section();
    section.units[0].stored_size = 0;
    CHECK(refused(section));
    section = sample_section();
    section.runs.push_back({.page_count = 1, .unit = std::nullopt, .plain_offset = 0});
    CHECK(refused(section));  // more pages than there are
    section = sample_section();
    section.runs[1].page_count = 0;
    CHECK(refused(section));
    section = sample_section();
    section.runs.insert(section.runs.begin() + 1,
                        {.page_count = 1, .unit = std::nullopt, .plain_offset = 0});
    section.tags.push_back(tag_of(9));
    CHECK(refused(section, {.page_size = page_size, .byte_size = 5 * page_size + 100}));
    section = sample_section();
    CHECK(refused(section, {.page_size = page_size, .byte_size = 4 * page_size}));
    CHECK(refused(section, {.page_size = page_size, .byte_size = 6 * page_size}));
    CHECK(refused(section, {.page_size = page_size, .byte_size = 0}));
}

TEST_CASE("an index part comes back as it was", "[vault][backup]") {
    const auto entries = sample_entries();
    const Bytes encoded = encode(entries);
    CHECK(decode(encoded) == entries);
    CHECK(map_kind(encoded) == MapKind::index);
    check_hostile(encoded, [](ByteView bytes) { static_cast<void>(decode(bytes)); });
}

TEST_CASE("digests of maps may be told at the end", "[vault][backup]") {
    IndexEntry entry = file("a", 1);
    entry.sections[0].map.sha256 = {};
    IndexPartWriter writer(page_size);
    writer.add(entry);
    const Bytes encoded = writer.finish([](const MapRef& map) {
        std::array<std::byte, 32> digest{};
        digest.fill(static_cast<std::byte>(map.number + 1));
        return digest;
    });
    CHECK(decode(encoded).at(0).sections.at(0).map.sha256[0] == std::byte{2});
    CHECK(writer.empty());
}

TEST_CASE("paths that lead out of the data directory are none", "[vault][backup]") {
    for (const char* const path : {"a", "base/1/112", "a.b/..c", "pg_tblspc/1/PG_15/x"})
        CHECK(is_sound_path(path));
    for (const std::string& path :
         {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"),
          std::string("."), std::string("a/./b"), std::string("../a"), std::string("a/.."),
          std::string("a\0b", 3), std::string(5000, 'a')})
        CHECK_FALSE(is_sound_path(path));
    // The same name, written with the same length into sound bytes.
    Bytes encoded = encode({directory("bb")});
    const std::size_t at = encoded.size() - 5;
    REQUIRE(as_text(ByteView(encoded).subspan(at, 2)) == "bb");
    encoded[at] = encoded[at + 1] = std::byte{'.'};
    CHECK(kind_of([&] { decode(encoded); }) == ErrorKind::corrupt);
}

TEST_CASE("entries out of order are refused", "[vault][backup]") {
    Bytes encoded = encode({directory("a"), directory("b")});
    // The last path: nothing shared, one byte.
    const std::size_t at = encoded.size() - 4;
    REQUIRE(encoded[at] == std::byte{'b'});
    encoded[at] = std::byte{'a'};
    CHECK(kind_of([&] { decode(encoded); }) == ErrorKind::corrupt);
}

TEST_CASE("a usage comes back as it was", "[vault][backup]") {
    const Bytes encoded = encode_usage(sample_usage());
    CHECK(decode_usage(encoded) == sample_usage());
    check_hostile(encoded, [](ByteView bytes) { static_cast<void>(decode_usage(bytes)); });
}

TEST_CASE("a map says what it is", "[vault][backup]") {
    CHECK(map_kind(begin_sections()) == MapKind::sections);
    Bytes later = begin_sections();
    later[0] = std::byte{2};
    CHECK(kind_of([&] { static_cast<void>(map_kind(later)); }) == ErrorKind::usage);
    later[0] = std::byte{1};
    later[1] = std::byte{4};
    CHECK(kind_of([&] { static_cast<void>(map_kind(later)); }) == ErrorKind::corrupt);
}

TEST_CASE("the sections of a file are 8192 pages and a rest", "[vault][backup]") {
    const std::uint64_t whole = std::uint64_t{section_pages_max} * page_size;
    CHECK(section_count(0, page_size) == 0);
    CHECK(section_count(1, page_size) == 1);
    CHECK(section_count(whole, page_size) == 1);
    CHECK(section_count(whole + 1, page_size) == 2);
    CHECK(section_count(~std::uint64_t{0}, page_size) == (std::uint64_t{1} << 38));
    CHECK(section_shape(whole + 100, page_size, 1).byte_size == 100);
    CHECK(section_shape(whole + 100, page_size, 0).page_count() == section_pages_max);
    CHECK(section_shape(100, page_size, 0).bytes_of(0, 1) == 100);
}
