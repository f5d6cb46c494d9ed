// Which earlier backups a new one is compared with, and what of them must be left alone.
#pragma once

#include "backup/work_source.h"
#include "vault/backup_store.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace walden::backup {

/// Which backups would do.
struct ParentWish {
    std::uint64_t system_identifier = 0;
    std::uint32_t page_size = 0;
    vault::Writer writer;  ///< of the new backup: tells which backups without outcome are dead
};

struct Parents {
    /// The newest committed one, behind what was interrupted since: the first is believed first.
    std::vector<vault::BackupOutcome> outcomes;

    [[nodiscard]] std::vector<vault::BackupId> ids() const;

    [[nodiscard]] ParentIndex open(const vault::BackupStore& store, std::uint32_t page_size) const;
};

/// What an interrupted backup had written of its index, as far as all that it names is there. Each
/// of its maps is read.
[[nodiscard]] std::vector<vault::MapDigest> written_index(const vault::BackupStore& store,
                                                          const vault::BackupId& id,
                                                          std::uint32_t page_size);

/// Looks through the archive's backups. One that is without outcome, was begun by this host's
/// instance and cannot be running, since the caller holds the lock, is aborted.
[[nodiscard]] Parents find_parents(const vault::BackupStore& store, const ParentWish& wish);

/// What the usages of the parents say.
struct KnownPacks {
    std::map<vault::PackRef, std::uint64_t> sizes;  ///< encoded
    std::vector<vault::PackRef> left;               ///< ascending: used by less than half
};

[[nodiscard]] KnownPacks find_packs(const vault::BackupStore& store, const Parents& parents);

}  // namespace walden::backup
