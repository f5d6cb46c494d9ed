// Property: whatever the bytes, reading a section, a part of an index or a usage ends in a value or
// in an Error of kind corrupt or usage; and what was read encodes to the bytes that it was read
// from: there is one spelling of everything.
#include "vault/backup_map.h"

#include "base/error.h"
#include "property.h"

#include <cstddef>
#include <cstdint>

using namespace walden;
using namespace walden::vault;

namespace {

constexpr std::uint32_t page_size = 8192;

/// The first two bytes say how large the section is.
void read_section(ByteView bytes) {
    if (bytes.size() < 3) return;
    const SectionShape shape{
        .page_size = page_size,
        .byte_size = load_le<std::uint16_t>(bytes.data()) * std::uint64_t{977}};
    const Section section = decode_section(bytes.subspan(2), shape);
    require_property(section.tags.size() == shape.page_count(), "each page has a tag");
    std::uint64_t pages = 0;
    for (const PageRun& run : section.runs) {
        const std::uint64_t size =
            shape.bytes_of(static_cast<std::uint32_t>(pages), run.page_count);
        require_property(
            !run.unit || run.plain_offset + size <= section.units.at(*run.unit).plain_size,
            "a run stays in its unit");
        pages += run.page_count;
    }
    require_property(pages == shape.page_count(), "runs are all pages");
    for (const Unit& unit : section.units)
        require_property(unit.pack < section.packs.size() && unit.plain_size <= unit_size_max,
                         "a unit is in a pack, and small");
    require_property(equal(encode_section(section), bytes.subspan(2)), "one spelling");
}

void read_index(ByteView bytes) {
    IndexPartReader reader(to_bytes(bytes), page_size);
    std::string last;
    while (const auto entry = reader.next()) {
        require_property(is_sound_path(entry->path), "paths stay in the data directory");
        require_property(last.empty() || comes_before(last, entry->path), "paths ascend");
        require_property(entry->sections.size() == section_count(entry->size, page_size),
                         "a file has its sections");
        last = entry->path;
    }
}

void read_one(ByteView bytes) {
    if (bytes.empty()) return;
    if (bytes[0] == std::byte{0}) return read_section(bytes.subspan(1));
    switch (map_kind(bytes)) {
        case MapKind::sections: return;
        case MapKind::index: return read_index(bytes);
        case MapKind::usage:
            require_property(equal(encode_usage(decode_usage(bytes)), bytes), "one spelling");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        read_one(std::as_bytes(std::span(data, size)));
    } catch (const Error& error) {
        require_property(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::usage,
                         "a map fails as corrupt or usage");
    }
    return 0;
}
