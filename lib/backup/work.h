// What the threads of a backup hand to one another: parts of the data directory to read, and what
// became of them.
#pragma once

#include "pg/relation_file.h"
#include "vault/backup_map.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace walden::backup {

/// Sections of one file, or a directory or link.
struct WorkItem {
    vault::IndexEntry entry;  ///< without sections; of a file with the size that the scan saw
    std::string path;         ///< to open
    std::uint64_t first_section = 0;
    std::uint64_t section_count = 0;  ///< of this item
    bool is_required = false;         ///< not to be found is an error, and not a file that went
    std::optional<pg::RelationFile> relation;
    /// What the backup before has of these sections, as far as it has them.
    std::vector<vault::SectionRef> parent_sections;
    std::uint64_t parent_size = 0;  ///< of the whole file in the backup before

    /// What to read of the pages that the backup before has, counted from the file's first one.
    struct Pages {
        std::vector<std::uint32_t> named;    ///< ascending
        std::vector<std::uint32_t> sampled;  ///< ascending; only to see that they are as before
    };

    std::optional<Pages> pages;  ///< nullopt: all
    bool is_known = false;       ///< nothing is to be read: all is as in the backup before
};

/// What one thread does at a time: one section of a large file, or several small files.
struct Work {
    std::uint64_t number = 0;  ///< counted from 0 in the order of paths
    std::vector<WorkItem> items;
};

/// One section, read.
struct DoneSection {
    std::uint64_t byte_size = 0;  ///< as it was read
    /// The section of the backup before, which is the same; else `bytes`.
    std::optional<vault::SectionRef> reused;
    Bytes bytes;
    std::vector<vault::PackUse> uses;
};

struct DoneItem {
    bool is_gone = false;  ///< the file was not there any more
    std::vector<DoneSection> sections;
};

struct DoneWork {
    std::vector<DoneItem> items;  ///< one for each of the work
};

/// A page that is not as it should be.
struct SuspectPage {
    std::string path;        ///< relative to the data directory
    std::uint32_t page = 0;  ///< in the file
    pg::RelationFile relation;
};

}  // namespace walden::backup
