// Maps of a base backup: where the pages of its files are (FORMAT.md, section 9).
//
// Numbers and bytes in, values out; nothing here touches the store.
#pragma once

#include "base/bytes.h"
#include "codec/codec.h"
#include "crypto/page_tag.h"
#include "vault/backup_id.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::vault {

/// Pages of one section; the last one of a file has fewer.
inline constexpr std::uint32_t section_pages_max = 8192;
/// Plain bytes that are coded together.
inline constexpr std::size_t unit_size_max = std::size_t{1} << 20;
/// Plain bytes of a map object.
inline constexpr std::size_t map_size_max = std::size_t{8} << 20;
inline constexpr std::size_t backup_path_size_max = 4096;

enum class MapKind : std::uint8_t { sections = 1, index = 2, usage = 3 };

/// A pack of some backup, this one or an earlier one.
struct PackRef {
    BackupId backup;
    std::uint32_t number = 0;

    friend auto operator<=>(const PackRef&, const PackRef&) = default;
};

/// A map object with the SHA-256 of its plain bytes.
struct MapRef {
    BackupId backup;
    std::uint32_t number = 0;
    std::array<std::byte, 32> sha256{};

    friend auto operator<=>(const MapRef&, const MapRef&) = default;
};

/// Bytes that were coded together, and where they lie.
struct Unit {
    std::uint32_t pack = 0;    ///< index in the section's list
    std::uint32_t offset = 0;  ///< in the pack's encoded bytes
    std::uint32_t stored_size = 0;
    std::uint32_t plain_size = 0;
    codec::CodecId codec = codec::CodecId::none;

    friend bool operator==(const Unit&, const Unit&) = default;
};

/// Pages of the file, one after the other, that are one after the other in a unit, or all zeros.
struct PageRun {
    std::uint32_t page_count = 0;
    std::optional<std::uint32_t> unit;  ///< index in the section's list; nullopt: zeros
    std::uint32_t plain_offset = 0;     ///< in the unit, bytes

    friend bool operator==(const PageRun&, const PageRun&) = default;
};

/// Up to section_pages_max pages of one file.
struct Section {
    std::vector<PackRef> packs;
    std::vector<Unit> units;
    std::vector<PageRun> runs;
    std::vector<crypto::PageTag> tags;  ///< one for each page

    friend bool operator==(const Section&, const Section&) = default;
};

/// How large a section's part of the file is: its last page may be shorter.
struct SectionShape {
    std::uint32_t page_size = 0;
    std::uint64_t byte_size = 0;

    [[nodiscard]] std::uint32_t page_count() const {
        return static_cast<std::uint32_t>((byte_size + page_size - 1) / page_size);
    }

    /// Bytes of `count` pages from `page` on.
    [[nodiscard]] std::uint64_t bytes_of(std::uint32_t page, std::uint32_t count) const {
        const std::uint64_t begin = std::uint64_t{page} * page_size;
        return std::min(std::uint64_t{count} * page_size, byte_size - begin);
    }
};

[[nodiscard]] Bytes encode_section(const Section& section);

/// Throws Error(corrupt) for bytes that are not a section of that shape, or contradict themselves:
/// what it returns can be followed without further checks, except that units may lie behind the
/// end of their pack.
[[nodiscard]] Section decode_section(ByteView bytes, const SectionShape& shape);

enum class BackupFileType : std::uint8_t {
    file = 1,
    directory = 2,
    tablespace_link = 3,  ///< pg_tblspc/<oid>
    other_link = 4,
};

/// Bytes of a pack that a section names: of a unit that it names in part, its share.
struct PackUse {
    PackRef pack;
    std::uint64_t bytes = 0;

    friend bool operator==(const PackUse&, const PackUse&) = default;
};

/// Where a section lies.
struct SectionRef {
    MapRef map;
    std::uint32_t offset = 0;  ///< in the map's plain bytes
    std::uint32_t size = 0;
    std::vector<PackUse> uses;

    friend bool operator==(const SectionRef&, const SectionRef&) = default;
};

/// A file, directory or link.
struct IndexEntry {
    std::string path;  ///< relative to the data directory, never empty
    BackupFileType type = BackupFileType::file;
    std::uint32_t mode = 0;  ///< permission bits
    // Of a file:
    std::uint64_t size = 0;
    std::int64_t modified = 0;  ///< Unix seconds; a label
    bool is_relation = false;   ///< its pages were checked one by one
    std::vector<SectionRef> sections;
    // Of a link:
    std::string target;

    friend bool operator==(const IndexEntry&, const IndexEntry&) = default;
};

/// How many sections a file of that size has.
[[nodiscard]] std::uint64_t section_count(std::uint64_t file_size, std::uint32_t page_size);

/// The shape of the section `number` of a file.
[[nodiscard]] SectionShape section_shape(std::uint64_t file_size, std::uint32_t page_size,
                                         std::uint64_t number);

/// The order of paths: by their bytes.
[[nodiscard]] inline bool comes_before(std::string_view a, std::string_view b) {
    return a < b;
}

/// False for a path that is absolute, empty or too long, or has an empty, "." or ".." component or
/// a zero byte: such a path is never written to.
[[nodiscard]] bool is_sound_path(std::string_view path);

/// Collects entries into one part of the index. One thread at a time.
class IndexPartWriter {
public:
    /// `page_size`: of the server.
    explicit IndexPartWriter(std::uint32_t page_size) : page_size_(page_size) {}

    /// Entries come in the order of their paths. The digest of a map of the backup itself need not
    /// be known yet.
    void add(const IndexEntry& entry);

    [[nodiscard]] bool empty() const { return entry_count_ == 0; }

    /// About the size of the part.
    [[nodiscard]] std::size_t size() const;

    /// The part's plain bytes; the writer is empty afterwards. `digest_of` is asked for each map
    /// whose digest is all zeros.
    template <class DigestOf>
    [[nodiscard]] Bytes finish(const DigestOf& digest_of) {
        for (MapRef& map : maps_)
            if (map.sha256 == MapRef{}.sha256) map.sha256 = digest_of(map);
        return assemble();
    }

private:
    [[nodiscard]] Bytes assemble();

    std::uint32_t page_size_;
    Bytes entries_;
    std::uint64_t entry_count_ = 0;
    std::string last_path_;
    std::vector<MapRef> maps_;
    std::map<std::pair<BackupId, std::uint32_t>, std::uint32_t> map_numbers_;
    std::vector<PackRef> packs_;
    std::map<PackRef, std::uint32_t> pack_numbers_;
};

/// Reads one part of an index. One thread at a time.
class IndexPartReader {
public:
    /// Throws Error(corrupt | usage) for bytes that do not begin as a part.
    IndexPartReader(Bytes plain, std::uint32_t page_size);
    IndexPartReader(IndexPartReader&&) = default;
    IndexPartReader& operator=(IndexPartReader&&) = delete;

    /// The maps and packs that the part names.
    [[nodiscard]] const std::vector<MapRef>& maps() const { return maps_; }

    [[nodiscard]] const std::vector<PackRef>& packs() const { return packs_; }

    /// nullopt at the end. Throws Error(corrupt) for an entry that is none, or out of order.
    [[nodiscard]] std::optional<IndexEntry> next();

private:
    Bytes plain_;
    ByteReader reader_;
    std::uint32_t page_size_;
    std::uint64_t entries_left_ = 0;
    std::string last_path_;
    std::vector<MapRef> maps_;
    std::vector<PackRef> packs_;
};

struct PackUsage {
    std::uint32_t number = 0;
    std::uint64_t encoded_size = 0;
    std::uint64_t used = 0;  ///< of these bytes

    friend bool operator==(const PackUsage&, const PackUsage&) = default;
};

/// What a backup names of one backup, itself or an earlier one.
struct OwnerUsage {
    BackupId owner;
    std::vector<std::uint32_t> maps;  ///< ascending
    std::vector<PackUsage> packs;     ///< ascending

    friend bool operator==(const OwnerUsage&, const OwnerUsage&) = default;
};

/// All that a backup names; ascending by owner.
using BackupUsage = std::vector<OwnerUsage>;

[[nodiscard]] Bytes encode_usage(const BackupUsage& usage);

/// Throws Error(corrupt | usage).
[[nodiscard]] BackupUsage decode_usage(ByteView bytes);

/// The first bytes of a map of sections.
[[nodiscard]] Bytes begin_sections();

/// What kind of map the plain bytes are. Throws Error(corrupt), Error(usage) for a newer version.
[[nodiscard]] MapKind map_kind(ByteView plain);

}  // namespace walden::vault
