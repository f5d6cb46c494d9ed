// One base backup, from the first question to the server to the outcome in the store (FORMAT.md,
// section 10).
#pragma once

#include "codec/page/page_codec.h"
#include "pg/backup_session.h"
#include "vault/backup_record.h"
#include "vault/cluster_vault.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace walden::backup {

struct BackupSettings {
    std::string conninfo;
    std::string pgdata;
    std::string lock_path;  ///< a file that one backup at a time holds locked
    std::string label;
    bool is_full = false;    ///< compared with no backup before
    bool reads_all = false;  ///< also what WAL does not name
    double sample = 0.02;    ///< of the pages that WAL does not name, this part is read as well
    pg::CheckpointPace pace = pg::CheckpointPace::fast;
    std::size_t worker_count = 2;
    std::size_t uploads_in_flight = 3;
    std::size_t rate_max = 0;   ///< bytes a second that are read; 0: as fast as it goes
    bool counts_first = false;  ///< the size of everything, for the progress
    codec::PageEncodeOptions encoding;
    /// How long to wait for the next segment of WAL to arrive in the archive.
    std::chrono::milliseconds wal_patience{60'000};
    vault::Writer writer;
};

enum class BackupPhase : std::uint8_t { checkpoint, reading, wal, done };

struct BackupProgress {
    BackupPhase phase = BackupPhase::checkpoint;
    std::uint64_t done_bytes = 0;
    std::uint64_t all_bytes = 0;  ///< 0: not known
    std::uint64_t stored_bytes = 0;
    std::string waits_for{};  ///< a segment, in the phase `wal`
};

/// What a backup tells while it runs, on the caller's thread.
struct BackupObserver {
    /// A few times a second.
    std::function<void(const BackupProgress&)> progress = [](const BackupProgress&) {};
    /// Something that a person should know, and that does not end the backup.
    std::function<void(const std::string&)> note = [](const std::string&) {};
    std::function<void(const std::string&)> warning = [](const std::string&) {};
};

/// Takes a backup and returns its outcome, which is committed. After an Error no backup exists that
/// did not exist before, unless the Error is of an unknown outcome of the very last step. Throws
///   Error(conflict)     another backup of this host is running
///   Error(foreign)      the server is not the cluster of the archive
///   Error(missing)      WAL that the backup needs does not arrive in the archive
/// and what session, files and storage throw.
[[nodiscard]] vault::BackupOutcome run_backup(const vault::ClusterVault& vault,
                                              const BackupSettings& settings,
                                              const BackupObserver& observer);

}  // namespace walden::backup
