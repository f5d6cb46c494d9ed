// One base backup, from the first question to the server to the outcome in the store (FORMAT.md,
// section 10).
#pragma once

#include "backup/parallel_read.h"
#include "backup/upload_queue.h"
#include "pg/backup_session.h"
#include "vault/backup_store.h"
#include "vault/cluster_vault.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace walden::backup {

struct BackupSettings {
    std::string conninfo;
    std::string pgdata;
    std::string lock_path;  ///< a file that one backup at a time holds locked
    std::string label;
    bool is_full = false;  ///< compared with no backup before
    pg::CheckpointPace pace = pg::CheckpointPace::fast;
    std::size_t worker_count = 2;
    std::size_t uploads_in_flight = 3;
    codec::EncodeOptions encoding;
    /// How long to wait for the next segment of WAL to arrive in the archive.
    std::chrono::milliseconds wal_patience{60'000};
    vault::Writer writer;
};

enum class BackupPhase : std::uint8_t { checkpoint, reading, wal, done };

struct BackupProgress {
    BackupPhase phase = BackupPhase::checkpoint;
    std::uint64_t done_bytes = 0;
    std::uint64_t seen_bytes = 0;  ///< of the files that were found so far
    std::uint64_t stored_bytes = 0;
    std::string waits_for;  ///< a segment, in the phase `wal`
};

/// Called a few times a second, on the caller's thread.
using ObserveBackup = std::function<void(const BackupProgress&)>;

/// Takes a backup and returns its outcome, which is committed. After an Error no backup exists that
/// did not exist before, unless the Error is of an unknown outcome of the very last step. Throws
///   Error(conflict)     another backup of this host is running
///   Error(foreign)      the server is not the cluster of the archive
///   Error(missing)      WAL that the backup needs does not arrive in the archive
/// and what session, files and storage throw.
[[nodiscard]] vault::BackupOutcome run_backup(const vault::ClusterVault& vault,
                                              const BackupSettings& settings,
                                              const ObserveBackup& observe);

}  // namespace walden::backup
