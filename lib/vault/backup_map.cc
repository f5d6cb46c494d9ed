#include "vault/backup_map.h"

#include "base/error.h"
#include "base/format.h"
#include "base/leb128.h"

#include <algorithm>
#include <cassert>

namespace walden::vault {

namespace {

constexpr std::uint8_t map_version = 1;
constexpr std::size_t map_head_size = 2;
constexpr std::uint64_t pack_size_max = std::uint64_t{64} << 20;
constexpr std::uint8_t flag_relation = 1;

[[noreturn]] void corrupt(std::string_view what) {
    throw Error(ErrorKind::corrupt, format("map of a backup is malformed: {}", what));
}

Bytes begin_map(MapKind kind) {
    Bytes out;
    ByteWriter writer(out);
    writer.write(map_version);
    writer.write(static_cast<std::uint8_t>(kind));
    return out;
}

void append_id(Bytes& out, const BackupId& id) {
    append(out, as_bytes(id.text()));
}

BackupId read_id(ByteReader& reader) {
    const auto id = parse_backup_id(as_text(reader.read_bytes(BackupId::size)));
    if (!id) corrupt("id of a backup");
    return *id;
}

void append_text(Bytes& out, std::string_view text) {
    append_leb128(out, text.size());
    append(out, as_bytes(text));
}

/// A number that must be at most `max`.
std::uint32_t read_bounded(ByteReader& reader, std::uint64_t max, std::string_view what) {
    const std::uint64_t value = read_leb128(reader);
    if (!reader.ok() || value > max) corrupt(what);
    return static_cast<std::uint32_t>(value);
}

/// A count of elements that take `size_min` bytes each at least.
std::uint32_t read_count(ByteReader& reader, std::size_t size_min, std::string_view what) {
    return read_bounded(reader, std::min<std::uint64_t>(reader.remaining() / size_min, 0xFFFFFFFF),
                        what);
}

std::uint32_t read_number(ByteReader& reader) {
    const std::uint32_t number = read_bounded(reader, 99'999'999, "number of an object");
    if (number == 0) corrupt("number of an object");
    return number;
}

void append_packs(Bytes& out, const std::vector<PackRef>& packs) {
    append_leb128(out, packs.size());
    for (const PackRef& pack : packs) {
        append_id(out, pack.backup);
        append_leb128(out, pack.number);
    }
}

std::vector<PackRef> read_packs(ByteReader& reader) {
    std::vector<PackRef> packs(read_count(reader, BackupId::size + 1, "number of packs"));
    for (PackRef& pack : packs) {
        pack.backup = read_id(reader);
        pack.number = read_number(reader);
    }
    return packs;
}

Unit read_unit(ByteReader& reader, std::size_t pack_count) {
    Unit unit;
    if (pack_count == 0) corrupt("pack of a unit");
    unit.pack = read_bounded(reader, pack_count - 1, "pack of a unit");
    unit.offset = read_bounded(reader, pack_size_max, "place of a unit");
    unit.stored_size = read_bounded(reader, pack_size_max - unit.offset, "size of a unit");
    unit.plain_size = read_bounded(reader, unit_size_max, "plain size of a unit");
    unit.codec = static_cast<codec::CodecId>(reader.read<std::uint8_t>());
    if (unit.stored_size == 0 || unit.plain_size == 0) corrupt("size of a unit");
    return unit;
}

/// A run that begins at `page` of the section.
PageRun read_run(ByteReader& reader, const Section& section, const SectionShape& shape,
                 std::uint32_t page) {
    PageRun run;
    run.page_count = read_bounded(reader, shape.page_count() - page, "pages of a run");
    if (run.page_count == 0) corrupt("pages of a run");
    const std::uint32_t number = read_bounded(reader, section.units.size(), "unit of a run");
    if (number == 0) return run;
    run.unit = number - 1;
    const std::uint32_t plain_size = section.units[*run.unit].plain_size;
    run.plain_offset = read_bounded(reader, plain_size, "place of a run");
    if (shape.bytes_of(page, run.page_count) > plain_size - run.plain_offset)
        corrupt("run that leaves its unit");
    return run;
}

/// Whether nothing is coded in a longer way than encode_section() does it.
bool continues(const PageRun& before, const PageRun& run, std::uint32_t page_size) {
    if (before.unit != run.unit) return false;
    return !run.unit || before.plain_offset + before.page_count * page_size == run.plain_offset;
}

}  // namespace

Bytes encode_section(const Section& section) {
    assert(!section.tags.empty() && section.tags.size() <= section_pages_max);
    Bytes out;
    append_packs(out, section.packs);
    append_leb128(out, section.units.size());
    for (const Unit& unit : section.units) {
        append_leb128(out, unit.pack);
        append_leb128(out, unit.offset);
        append_leb128(out, unit.stored_size);
        append_leb128(out, unit.plain_size);
        out.push_back(static_cast<std::byte>(unit.codec));
    }
    append_leb128(out, section.runs.size());
    for (const PageRun& run : section.runs) {
        append_leb128(out, run.page_count);
        append_leb128(out, run.unit ? *run.unit + 1 : 0);
        if (run.unit) append_leb128(out, run.plain_offset);
    }
    for (const crypto::PageTag& tag : section.tags) append(out, tag);
    return out;
}

Section decode_section(ByteView bytes, const SectionShape& shape) {
    const std::uint32_t page_count = shape.page_count();
    if (page_count == 0 || page_count > section_pages_max) corrupt("size of a section");
    ByteReader reader(bytes);
    Section section;
    section.packs = read_packs(reader);
    section.units.resize(read_count(reader, 5, "number of units"));
    for (Unit& unit : section.units) unit = read_unit(reader, section.packs.size());
    const std::uint32_t runs = read_count(reader, 2, "number of runs");
    if (runs > page_count) corrupt("number of runs");
    std::uint32_t page = 0;
    for (std::uint32_t i = 0; i < runs; ++i) {
        const PageRun run = read_run(reader, section, shape, page);
        if (!section.runs.empty() && continues(section.runs.back(), run, shape.page_size))
            corrupt("two runs that are one");
        page += run.page_count;
        section.runs.push_back(run);
    }
    if (page != page_count) corrupt("runs that are not all pages");
    if (reader.remaining() != page_count * sizeof(crypto::PageTag)) corrupt("number of tags");
    section.tags.resize(page_count);
    for (crypto::PageTag& tag : section.tags) tag = reader.read_array<sizeof(crypto::PageTag)>();
    return section;
}

std::uint64_t section_count(std::uint64_t file_size, std::uint32_t page_size) {
    const std::uint64_t section_size = std::uint64_t{section_pages_max} * page_size;
    return file_size / section_size + (file_size % section_size != 0 ? 1 : 0);
}

SectionShape section_shape(std::uint64_t file_size, std::uint32_t page_size, std::uint64_t number) {
    const std::uint64_t section_size = std::uint64_t{section_pages_max} * page_size;
    assert(number < section_count(file_size, page_size));
    return {.page_size = page_size,
            .byte_size = std::min(section_size, file_size - number * section_size)};
}

bool is_sound_path(std::string_view path) {
    if (path.empty() || path.size() > backup_path_size_max ||
        path.find('\0') != std::string_view::npos)
        return false;
    while (true) {
        const std::size_t slash = path.find('/');
        const std::string_view component = path.substr(0, slash);
        if (component.empty() || component == "." || component == "..") return false;
        if (slash == std::string_view::npos) return true;
        path.remove_prefix(slash + 1);
    }
}

void IndexPartWriter::add(const IndexEntry& entry) {
    assert(is_sound_path(entry.path));
    assert(last_path_.empty() || comes_before(last_path_, entry.path));
    const auto mismatch =
        std::mismatch(last_path_.begin(), last_path_.end(), entry.path.begin(), entry.path.end());
    const auto shared = static_cast<std::size_t>(mismatch.first - last_path_.begin());
    append_leb128(entries_, shared);
    append_text(entries_, std::string_view(entry.path).substr(shared));
    entries_.push_back(static_cast<std::byte>(entry.type));
    append_leb128(entries_, entry.mode);
    if (entry.type == BackupFileType::file) {
        assert(entry.sections.size() == section_count(entry.size, page_size_));
        append_leb128(entries_, entry.size);
        append_leb128(entries_, static_cast<std::uint64_t>(entry.modified));
        entries_.push_back(static_cast<std::byte>(entry.is_relation ? flag_relation : 0));
        for (const SectionRef& section : entry.sections) {
            const auto [map, is_new_map] = map_numbers_.try_emplace(
                {section.map.backup, section.map.number}, static_cast<std::uint32_t>(maps_.size()));
            if (is_new_map) maps_.push_back(section.map);
            append_leb128(entries_, map->second);
            append_leb128(entries_, section.offset);
            append_leb128(entries_, section.size);
            append_leb128(entries_, section.uses.size());
            for (const PackUse& use : section.uses) {
                const auto [pack, is_new_pack] =
                    pack_numbers_.try_emplace(use.pack, static_cast<std::uint32_t>(packs_.size()));
                if (is_new_pack) packs_.push_back(use.pack);
                append_leb128(entries_, pack->second);
                append_leb128(entries_, use.bytes);
            }
        }
    } else if (entry.type != BackupFileType::directory) {
        append_text(entries_, entry.target);
    }
    last_path_ = entry.path;
    ++entry_count_;
}

std::size_t IndexPartWriter::size() const {
    return entries_.size() + maps_.size() * (BackupId::size + 37) +
           packs_.size() * (BackupId::size + 5) + 64;
}

Bytes IndexPartWriter::assemble() {
    Bytes out = begin_map(MapKind::index);
    append_leb128(out, maps_.size());
    for (const MapRef& map : maps_) {
        append_id(out, map.backup);
        append_leb128(out, map.number);
        append(out, map.sha256);
    }
    append_packs(out, packs_);
    append_leb128(out, entry_count_);
    append(out, entries_);
    const std::uint32_t page_size = page_size_;
    *this = IndexPartWriter(page_size);
    return out;
}

IndexPartReader::IndexPartReader(Bytes plain, std::uint32_t page_size)
    : plain_(std::move(plain)), reader_(plain_), page_size_(page_size) {
    if (map_kind(plain_) != MapKind::index) corrupt("it is not an index");
    reader_.read_bytes(map_head_size);
    maps_.resize(read_count(reader_, BackupId::size + 33, "number of maps"));
    for (MapRef& map : maps_) {
        map.backup = read_id(reader_);
        map.number = read_number(reader_);
        map.sha256 = reader_.read_array<32>();
    }
    packs_ = read_packs(reader_);
    entries_left_ = read_count(reader_, 5, "number of entries");
    if (!reader_.ok()) corrupt("truncated index");
}

namespace {

std::string read_text(ByteReader& reader) {
    const std::uint32_t size = read_bounded(reader, backup_path_size_max, "length of a text");
    const ByteView bytes = reader.read_bytes(size);
    if (!reader.ok()) corrupt("truncated text");
    return std::string(as_text(bytes));
}

SectionRef read_section_ref(ByteReader& reader, const std::vector<MapRef>& maps,
                            const std::vector<PackRef>& packs) {
    SectionRef section;
    const std::uint32_t map = read_bounded(reader, 0xFFFFFFFF, "map of a section");
    if (map >= maps.size()) corrupt("map of a section");
    section.map = maps[map];
    section.offset = read_bounded(reader, map_size_max, "place of a section");
    section.size = read_bounded(reader, map_size_max - section.offset, "size of a section");
    section.uses.resize(read_count(reader, 2, "packs of a section"));
    for (PackUse& use : section.uses) {
        const std::uint32_t pack = read_bounded(reader, 0xFFFFFFFF, "pack of a section");
        if (pack >= packs.size()) corrupt("pack of a section");
        use.pack = packs[pack];
        use.bytes = read_bounded(reader, pack_size_max, "used bytes of a pack");
    }
    return section;
}

}  // namespace

std::optional<IndexEntry> IndexPartReader::next() {
    if (entries_left_ == 0) {
        if (reader_.remaining() != 0) corrupt("bytes behind the last entry");
        return std::nullopt;
    }
    --entries_left_;
    IndexEntry entry;
    entry.path = last_path_.substr(0, read_bounded(reader_, last_path_.size(), "path"));
    entry.path += read_text(reader_);
    if (!is_sound_path(entry.path) ||
        (!last_path_.empty() && !comes_before(last_path_, entry.path)))
        corrupt("path");
    const auto type = reader_.read<std::uint8_t>();
    if (type < 1 || type > 4) corrupt("type of a file");
    entry.type = static_cast<BackupFileType>(type);
    entry.mode = read_bounded(reader_, 07777, "mode of a file");
    if (entry.type == BackupFileType::file) {
        entry.size = read_leb128(reader_);
        entry.modified = static_cast<std::int64_t>(read_leb128(reader_));
        const auto flags = reader_.read<std::uint8_t>();
        if (!reader_.ok() || flags > flag_relation) corrupt("flags of a file");
        entry.is_relation = flags == flag_relation;
        const std::uint64_t sections = section_count(entry.size, page_size_);
        if (sections > reader_.remaining() / 4) corrupt("size of a file");
        entry.sections.reserve(sections);
        for (std::uint64_t i = 0; i < sections; ++i)
            entry.sections.push_back(read_section_ref(reader_, maps_, packs_));
    } else if (entry.type != BackupFileType::directory) {
        entry.target = read_text(reader_);
    }
    if (!reader_.ok()) corrupt("truncated entry");
    last_path_ = entry.path;
    return entry;
}

Bytes encode_usage(const BackupUsage& usage) {
    Bytes out = begin_map(MapKind::usage);
    append_leb128(out, usage.size());
    for (const OwnerUsage& owner : usage) {
        append_id(out, owner.owner);
        append_leb128(out, owner.maps.size());
        for (const std::uint32_t map : owner.maps) append_leb128(out, map);
        append_leb128(out, owner.packs.size());
        for (const PackUsage& pack : owner.packs) {
            append_leb128(out, pack.number);
            append_leb128(out, pack.encoded_size);
            append_leb128(out, pack.used);
        }
    }
    return out;
}

BackupUsage decode_usage(ByteView bytes) {
    if (map_kind(bytes) != MapKind::usage) corrupt("it is not a usage");
    ByteReader reader(bytes);
    reader.read_bytes(map_head_size);
    BackupUsage usage(read_count(reader, BackupId::size + 2, "number of owners"));
    const BackupId* last_owner = nullptr;
    for (OwnerUsage& owner : usage) {
        owner.owner = read_id(reader);
        if (last_owner != nullptr && *last_owner >= owner.owner) corrupt("owners out of order");
        last_owner = &owner.owner;
        owner.maps.resize(read_count(reader, 1, "number of maps"));
        std::uint32_t last = 0;
        for (std::uint32_t& map : owner.maps) {
            map = read_number(reader);
            if (map <= std::exchange(last, map)) corrupt("maps out of order");
        }
        owner.packs.resize(read_count(reader, 3, "number of packs"));
        last = 0;
        for (PackUsage& pack : owner.packs) {
            pack.number = read_number(reader);
            if (pack.number <= std::exchange(last, pack.number)) corrupt("packs out of order");
            pack.encoded_size = read_bounded(reader, pack_size_max, "size of a pack");
            pack.used = read_leb128(reader);
        }
    }
    if (!reader.ok() || reader.remaining() != 0) corrupt("its end");
    return usage;
}

Bytes begin_sections() {
    return begin_map(MapKind::sections);
}

MapKind map_kind(ByteView plain) {
    if (plain.size() < map_head_size) corrupt("truncated");
    const auto version = std::to_integer<unsigned>(plain[0]);
    if (version == 0) corrupt("version 0");
    if (version != map_version)
        throw Error(ErrorKind::usage,
                    format("map of a backup has format {}, which is newer than this version of "
                           "walden understands",
                           version))
            .with_hint("Upgrade walden on this host.");
    const auto kind = std::to_integer<unsigned>(plain[1]);
    if (kind < 1 || kind > 3) corrupt("its kind");
    return static_cast<MapKind>(kind);
}

}  // namespace walden::vault
