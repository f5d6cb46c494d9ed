// A backup without access to the server's files: BASE_BACKUP of the replication protocol
// ("Streaming Replication Protocol" in PostgreSQL's documentation; basebackup.c), PostgreSQL 13
// to 18.
//
//           statement                       archives                         manifest
//   13, 14  BASE_BACKUP word word ...       one COPY each, the data          the last COPY
//                                           directory's last
//   15+     BASE_BACKUP (option value, ...) one COPY for all; messages begin with 'n' next
//                                           archive, 'd' data, 'm' manifest follows, 'p' progress
//
// The server's own verification of page checksums is off, since it costs a third to a half of its
// time; whoever takes the pages verifies them. Its manifest is compared with what came.
#pragma once

#include "pg/backup_label.h"
#include "pg/backup_session.h"
#include "pg/connection.h"
#include "pg/received_files.h"
#include "pg/tablespace_map.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace walden::pg {

struct BaseBackupOptions {
    std::string label;
    CheckpointPace pace = CheckpointPace::fast;
    std::uint32_t rate_max_kb = 0;  ///< KiB a second, 32 to 1048576; 0: as fast as it goes
};

/// What the server tells before it is asked for a backup.
struct RemoteServer {
    int version = 0;  ///< 150020 for 15.20
    std::uint64_t system_identifier = 0;
    wal::TimelineId timeline = 0;
    std::uint32_t page_size = 0;
    std::uint32_t pages_per_file = 0;
    wal::SegmentSize segment_size;  ///< of WAL
    bool has_data_checksums = false;
    std::uint32_t directory_mode = 0;  ///< 0700 or 0750
};

struct RemoteStart {
    wal::Lsn redo;
    wal::TimelineId timeline = 0;
    std::vector<Tablespace> tablespaces;
    std::uint64_t estimated_bytes = 0;  ///< as the server's files were just before
};

struct RemoteStop {
    wal::Lsn stop;
    wal::TimelineId timeline = 0;
    BackupLabel label;
    std::string label_text;
    std::string tablespace_map_text;
    Bytes control_file;  ///< global/pg_control, whose CRC is right
};

/// One connection, one backup. One thread at a time.
class RemoteBackup {
public:
    /// Connects as a WAL sender, which needs the attribute REPLICATION and a line for "replication"
    /// in pg_hba.conf. Throws Error(unavailable).
    explicit RemoteBackup(const std::string& conninfo);
    RemoteBackup(RemoteBackup&&) noexcept;
    RemoteBackup& operator=(RemoteBackup&&) noexcept;
    ~RemoteBackup();

    [[nodiscard]] const RemoteServer& server() const;

    /// Takes the backup. `on_start` is called once the checkpoint is over; `watch` about once a
    /// second while the server is silent, and what it throws ends the backup. Only when this
    /// returns is the backup one: the server tells its last errors after all files. Throws
    /// Error(usage) for a label (backup_session.h) or a rate that the server does not take,
    /// Error(denied | unavailable) as the server says, Error(corrupt) for archives, manifest, label
    /// or control file that are not what they should be, and what the callbacks throw.
    [[nodiscard]] RemoteStop take(const BaseBackupOptions& options, BackupFileVisitor& visitor,
                                  const std::function<void(const RemoteStart&)>& on_start,
                                  const std::function<void()>& watch = {});

private:
    using Archives = std::vector<std::optional<Tablespace>>;  ///< none: the data directory's

    [[nodiscard]] std::vector<Row> receive_typed(ReceivedFiles& files, const Archives& archives,
                                                 const std::function<void()>& watch);
    [[nodiscard]] std::vector<Row> receive_each(ReceivedFiles& files, const Archives& archives,
                                                const std::function<void()>& watch);

    std::unique_ptr<Connection> connection_;
    RemoteServer server_;
};

/// The statement, in the syntax of the version.
[[nodiscard]] std::string base_backup_statement(int version, const BaseBackupOptions& options);

}  // namespace walden::pg
