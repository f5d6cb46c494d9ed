// Brings the files of a base backup into a new data directory.
#pragma once

#include "vault/backup_record.h"
#include "vault/backup_store.h"
#include "vault/cluster_vault.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace walden::restore {

struct RestoreSettings {
    std::string directory;  ///< must not exist, or be empty
    std::size_t worker_count = 2;
    /// Appended to postgresql.auto.conf, lines that end in "\n".
    std::string recovery_settings;
};

struct RestoreProgress {
    std::uint64_t done_bytes = 0;
    std::uint64_t all_bytes = 0;
};

using ObserveRestore = std::function<void(const RestoreProgress&)>;

/// The newest backup that is committed and not expired; nullopt if there is none.
[[nodiscard]] std::optional<vault::BackupOutcome> find_newest_backup(
    const vault::BackupStore& store);

/// Writes all files of a committed backup, and at last global/pg_control, with a checkpoint that
/// cannot be used without backup_label. Durable when it returns; before, nothing that PostgreSQL
/// would start from. Throws Error(usage) for a directory that is not empty, Error(corrupt |
/// missing) for what the archive does not have whole, Error(io), and what the storage throws.
void run_restore(const vault::BackupStore& store, const vault::BackupOutcome& outcome,
                 const RestoreSettings& settings, const ObserveRestore& observe);

}  // namespace walden::restore
