#include "wal/page_header.h"

#include "base/format.h"

#include <algorithm>
#include <array>

namespace walden::wal {

namespace {

// Magics and image bits were read from the segments of real servers of each version.
constexpr std::array versions = {
    WalVersion{.magic = 0xD106, .major = 13, .image_applies = 4, .image_compressed = 2},
    WalVersion{.magic = 0xD10D,
               .major = 14,
               .image_applies = 4,
               .image_compressed = 2,
               .has_top_level_xid = true},
    WalVersion{0xD110, 15, 2, 4 | 8 | 16, true, true, 0x20, false},
    WalVersion{0xD113, 16, 2, 4 | 8 | 16, true, true, 0x20, false},
    WalVersion{0xD116, 17, 2, 4 | 8 | 16, true, true, 0x20, true},
    WalVersion{0xD118, 18, 2, 4 | 8 | 16, true, true, 0x20, true},
};

constexpr std::uint32_t page_size_min = 1024;
constexpr std::uint32_t page_size_max = 65536;

SegmentHeaderResult refuse(std::string reason) {
    return {std::nullopt, std::move(reason)};
}

}  // namespace

std::span<const WalVersion> wal_versions() {
    return versions;
}

const WalVersion* find_wal_version(std::uint16_t magic) {
    const auto found = std::find_if(versions.begin(), versions.end(),
                                    [&](const WalVersion& v) { return v.magic == magic; });
    return found == versions.end() ? nullptr : &*found;
}

PageHeader load_page_header(const std::byte* page) {
    return {.magic = load_le<std::uint16_t>(page),
            .flags = load_le<std::uint16_t>(page + page_flags_offset),
            .timeline = load_le<std::uint32_t>(page + page_timeline_offset),
            .address = {load_le<std::uint64_t>(page + page_address_offset)},
            .remaining_length = load_le<std::uint32_t>(page + page_remaining_offset),
            .padding = load_le<std::uint32_t>(page + page_padding_offset)};
}

SegmentHeaderResult parse_segment_header(ByteView file) {
    if (file.size() < long_page_header_size)
        return refuse(format("{} bytes are too few for a WAL page header", file.size()));
    const ByteView raw = file.first(long_page_header_size);
    if (std::all_of(raw.begin(), raw.end(), [](std::byte b) { return b == std::byte{0}; }))
        return refuse("the first page header is all zeros");

    SegmentHeader header{.page = load_page_header(raw.data())};
    const WalVersion* const version = find_wal_version(header.page.magic);
    if (version == nullptr)
        return refuse(
            format("page magic {:04X} is not one of PostgreSQL 13 to 18", header.page.magic));
    header.major_version = version->major;
    if ((header.page.flags & has_long_header) == 0 || (header.page.flags & ~all_page_flags) != 0)
        return refuse(
            format("flags {:04X} do not fit the first page of a segment", header.page.flags));
    if (header.page.timeline == 0) return refuse("the first page is on timeline 0");

    header.system_identifier = load_le<std::uint64_t>(raw.data() + system_identifier_offset);
    const auto segment_size_bytes = load_le<std::uint32_t>(raw.data() + segment_size_offset);
    const auto segment_size = SegmentSize::from_bytes(segment_size_bytes);
    if (!segment_size)
        return refuse(format("segment size {} in the header is impossible", segment_size_bytes));
    header.segment_size = *segment_size;
    header.page_size = load_le<std::uint32_t>(raw.data() + page_size_offset);
    if (!std::has_single_bit(header.page_size) || header.page_size < page_size_min ||
        header.page_size > page_size_max)
        return refuse(format("page size {} in the header is impossible", header.page_size));
    return {header, {}};
}

}  // namespace walden::wal
