// Brings the files of a base backup into a data directory.
#pragma once

#include "pg/recovery_settings.h"
#include "restore/target_directory.h"
#include "vault/backup_record.h"
#include "vault/backup_store.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace walden::restore {

struct RestoreSettings {
    std::string directory;  ///< absolute
    std::size_t worker_count = 2;
    OverwriteCluster overwrite = OverwriteCluster::no;
    pg::RecoverySettings recovery;
    /// Where tablespaces go: from the location that the server had to the new one, both absolute.
    std::map<std::string, std::string> tablespaces{};
};

struct RestoreProgress {
    std::uint64_t done_bytes = 0;
    std::uint64_t all_bytes = 0;
};

using ObserveRestore = std::function<void(const RestoreProgress&)>;

struct RestoreReport {
    std::uint64_t written_bytes = 0;
    std::uint64_t kept_bytes = 0;  ///< were there already, as they had to be
    std::uint64_t removed_files = 0;
    std::string wal_aside;  ///< where the old pg_wal is now; empty if there was none
};

/// Writes all files of a committed backup, and at last global/pg_control, with a checkpoint that
/// cannot be used without backup_label. Durable when it returns; before, nothing that PostgreSQL
/// would start from, and the same call goes on where it stopped. Throws what examine_directory()
/// throws, Error(usage) for a tablespace's place that is not empty or a mapping of none,
/// Error(corrupt | missing) for what the archive does not have whole, Error(io), and what the
/// storage throws.
RestoreReport run_restore(const vault::BackupStore& store, const vault::BackupOutcome& outcome,
                          const RestoreSettings& settings, const ObserveRestore& observe);

}  // namespace walden::restore
