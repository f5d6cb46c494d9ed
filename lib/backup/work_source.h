// Cuts the data directory into works: what the scan finds, beside what the backup before has of it.
#pragma once

#include "backup/changed_files.h"
#include "backup/work.h"
#include "vault/backup_store.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace walden::backup {

/// One thing in the data directory, as a scan sees it.
struct ScannedFile {
    vault::IndexEntry entry;  ///< without sections
    std::string path;         ///< to open
    bool is_required = false;
    std::optional<pg::RelationFile> relation;
};

/// The index of the backup before and, where a backup was interrupted since, before it what that
/// one had written. One thread at a time.
class ParentIndex {
public:
    /// The first reader that has a path is believed.
    explicit ParentIndex(std::vector<vault::BackupIndexReader> readers);

    /// Paths are asked for in ascending order.
    [[nodiscard]] std::optional<vault::IndexEntry> find(const std::string& path);

private:
    struct Stream {
        vault::BackupIndexReader reader;
        std::optional<vault::IndexEntry> next;
    };

    std::vector<Stream> streams_;
};

/// One thread at a time.
class WorkSource {
public:
    /// Files in the order of their paths; nullopt at the end.
    using Scan = std::function<std::optional<ScannedFile>()>;

    /// `left_packs`: ascending; sections that name one of them are read.
    WorkSource(Scan scan, ParentIndex parent, std::uint32_t page_size, const ChangedFiles& changes,
               const std::vector<vault::PackRef>& left_packs)
        : scan_(std::move(scan)),
          parent_(std::move(parent)),
          page_size_(page_size),
          changes_(changes),
          left_packs_(left_packs) {}

    /// nullopt when all is handed out.
    [[nodiscard]] std::optional<Work> next();

private:
    [[nodiscard]] bool look_ahead();
    [[nodiscard]] WorkItem item(std::uint64_t first_section, std::uint64_t section_count) const;
    [[nodiscard]] WorkItem::Pages pages_of(const WorkItem& item) const;
    [[nodiscard]] bool names_left_pack(const WorkItem& item) const;
    [[nodiscard]] bool has_same_shape(const WorkItem& item) const;

    Scan scan_;
    ParentIndex parent_;
    std::uint32_t page_size_;
    const ChangedFiles& changes_;
    const std::vector<vault::PackRef>& left_packs_;
    std::uint64_t next_number_ = 0;
    std::optional<ScannedFile> file_;  ///< the next one, or the one whose sections are handed out
    std::optional<vault::IndexEntry> parent_entry_;  ///< of it
    std::optional<WorkItem::Pages> pages_;           ///< what to read of it
    std::uint64_t next_section_ = 0;
};

}  // namespace walden::backup
