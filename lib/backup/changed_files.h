// Which pages WAL says have changed since the backup before, and which of the others are looked at
// all the same.
#pragma once

#include "backup/work.h"
#include "pg/relation_file.h"
#include "vault/backup_record.h"
#include "wal/changed_blocks.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace walden::backup {

/// Immutable once made, so safe from several threads.
class ChangedFiles {
public:
    /// Knows nothing: everything is read.
    ChangedFiles() = default;

    /// `damaged`: pages that were damaged in the backup before, to be looked at again. `sample`: of
    /// the pages that are not named, this part is read as well and compared, 0 to 1.
    ChangedFiles(wal::ChangedBlocks blocks, std::vector<vault::DamagedPage> damaged, double sample,
                 std::uint64_t seed);

    [[nodiscard]] bool is_known() const { return blocks_ != nullptr; }

    /// nullopt: all of it. `page_count`: pages that the backup before has of the file.
    [[nodiscard]] std::optional<WorkItem::Pages> pages_of(const std::string& path,
                                                          const pg::RelationFile& file,
                                                          std::uint32_t page_count) const;

private:
    std::shared_ptr<const wal::ChangedBlocks> blocks_;
    std::vector<vault::DamagedPage> damaged_;
    double sample_ = 0;
    std::uint64_t seed_ = 0;
};

}  // namespace walden::backup
