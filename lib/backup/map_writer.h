// Puts the maps of a backup together: sections as they come, the index in the order of paths, and
// at the end the usage.
#pragma once

#include "backup/work.h"
#include "vault/backup_map.h"
#include "vault/backup_store.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace walden::backup {

/// One thread at a time.
class MapWriter {
public:
    /// Takes a map that is complete, to store it.
    using TakeMap = std::function<void(std::string key, Bytes object)>;

    /// `store` must outlive the writer.
    MapWriter(const vault::BackupStore& store, const vault::BackupId& id, std::uint32_t page_size,
              TakeMap take)
        : store_(store), id_(id), page_size_(page_size), take_(std::move(take)), part_(page_size) {}

    /// Adds what became of a work; works come in the order of their numbers.
    void add(const Work& work, DoneWork done);

    /// Stores what was added so far, so that a backup after a failure can go on from it.
    void close_part();

    /// The index, after close_part().
    [[nodiscard]] const std::vector<vault::MapDigest>& index() const { return index_; }

    /// Stores the usage. `own_packs`: encoded sizes of this backup's packs; `others`: what the
    /// backups before tell of theirs. close_part() comes before.
    [[nodiscard]] vault::MapDigest write_usage(
        const std::map<std::uint32_t, std::uint64_t>& own_packs,
        const std::map<vault::PackRef, std::uint64_t>& others);

    /// All backups whose packs or maps are named, ascending.
    [[nodiscard]] std::vector<vault::BackupId> owners() const;

    [[nodiscard]] std::uint64_t file_count() const { return file_count_; }

    [[nodiscard]] std::uint64_t plain_bytes() const { return plain_bytes_; }

private:
    struct Named {
        std::set<std::uint32_t> maps;
        std::map<std::uint32_t, std::uint64_t> packs;  ///< number to used bytes
    };

    void add_item(const WorkItem& item, DoneItem done);
    void finish_file();
    [[nodiscard]] vault::SectionRef store_section(DoneSection& section);
    void note_use(const vault::SectionRef& section);
    void close_sections();
    [[nodiscard]] vault::MapDigest store_map(std::uint32_t number, ByteView plain);

    const vault::BackupStore& store_;
    vault::BackupId id_;
    std::uint32_t page_size_;
    TakeMap take_;
    std::uint32_t last_number_ = 0;

    Bytes sections_;  ///< of the map that is being filled; empty if there is none
    std::uint32_t sections_number_ = 0;
    std::map<std::uint32_t, std::array<std::byte, 32>> digests_;  ///< of maps the part names

    vault::IndexPartWriter part_;
    std::vector<vault::MapDigest> index_;
    std::optional<vault::IndexEntry> file_;  ///< whose sections are coming
    std::uint64_t sections_left_ = 0;        ///< of it
    bool is_gone_ = false;

    std::map<vault::BackupId, Named> named_;
    std::uint64_t file_count_ = 0;
    std::uint64_t plain_bytes_ = 0;
};

}  // namespace walden::backup
