// Cuts the data directory into works: what the scan finds, beside what the backup before has of it.
#pragma once

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
    std::uint32_t first_block = 0;  ///< of a relation file: number of its first page
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

    WorkSource(Scan scan, ParentIndex parent, std::uint32_t page_size)
        : scan_(std::move(scan)), parent_(std::move(parent)), page_size_(page_size) {}

    /// nullopt when all is handed out.
    [[nodiscard]] std::optional<Work> next();

    /// Bytes of all files that the scan has seen so far.
    [[nodiscard]] std::uint64_t seen_bytes() const { return seen_bytes_; }

private:
    [[nodiscard]] bool look_ahead();
    [[nodiscard]] WorkItem item(std::uint64_t first_section, std::uint64_t section_count) const;

    Scan scan_;
    ParentIndex parent_;
    std::uint32_t page_size_;
    std::uint64_t next_number_ = 0;
    std::optional<ScannedFile> file_;  ///< the next one, or the one whose sections are handed out
    std::optional<vault::IndexEntry> parent_entry_;  ///< of it
    std::uint64_t next_section_ = 0;
    std::uint64_t seen_bytes_ = 0;
};

}  // namespace walden::backup
