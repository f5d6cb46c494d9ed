// The server's side of a backup that reads the data directory itself: one session, held from
// pg_backup_start to pg_backup_stop (pg_start_backup and pg_stop_backup in 13 and 14), and what the
// server knows about its files.
//
// The label is never on the server's disk (the non-exclusive mode), so a backup that dies leaves
// nothing behind there: when the session ends, the server forgets the backup.
#pragma once

#include "pg/backup_label.h"
#include "pg/tablespace_map.h"
#include "wal/file_name.h"
#include "wal/lsn.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace walden::pg {

class Connection;

enum class CheckpointPace : std::uint8_t {
    fast,    ///< at once, at the expense of the others
    spread,  ///< over checkpoint_completion_target of checkpoint_timeout: minutes
};

/// What a backup needs to know of the server, asked once.
struct ServerFacts {
    int version = 0;  ///< 150020 for 15.20
    std::uint64_t system_identifier = 0;
    std::uint32_t catalog_version = 0;
    std::uint32_t page_size = 0;       ///< bytes
    std::uint32_t pages_per_file = 0;  ///< of a relation's segment: 131072 (1 GiB)
    wal::SegmentSize segment_size;     ///< of WAL
    bool has_data_checksums = false;
    bool is_standby = false;
    std::string data_directory;
    /// postgresql.conf, pg_hba.conf, pg_ident.conf: absolute, possibly not in the data directory.
    std::vector<std::string> configuration_files;
    std::string wal_level;
    std::string archive_mode;
};

struct BackupStart {
    wal::Lsn redo;  ///< WAL is needed from here on
    /// Of the server at this moment. On a standby the label may name an older one of its line.
    wal::TimelineId timeline = 0;
    std::vector<Tablespace> tablespaces;  ///< without pg_default and pg_global
};

struct BackupStop {
    wal::Lsn stop;  ///< the files are consistent once WAL up to here has been replayed
    /// Of the server just after the stop: the line that leads to it holds `stop`.
    wal::TimelineId timeline = 0;
    BackupLabel label;
    std::string label_text;           ///< backup_label, byte for byte
    std::string tablespace_map_text;  ///< tablespace_map, empty if there is no tablespace
};

/// One thread at a time. Whatever is thrown, the backup on the server is over with the destructor.
class BackupSession {
public:
    /// Connects, sees that the server may be backed up by this role, and that nothing stands
    /// between: a pooler could hand the session to others. Throws Error(unavailable) without a
    /// server, Error(denied) without the rights, with what to grant as hint, Error(usage) for a
    /// pooler or a setting of the server that forbids a backup.
    explicit BackupSession(const std::string& conninfo);
    BackupSession(BackupSession&&) noexcept;
    BackupSession& operator=(BackupSession&&) noexcept;
    ~BackupSession();

    [[nodiscard]] const ServerFacts& facts() const;

    /// Begins the backup, which waits for a checkpoint. `watch` is called about once a second
    /// meanwhile; what it throws ends the session. Throws Error(usage) for a label with line breaks
    /// or above backup_label_name_size_max bytes, and for a standby whose primary runs with
    /// full_page_writes = off.
    BackupStart start(const std::string& label, CheckpointPace pace,
                      const std::function<void()>& watch = {});

    /// To be called every few seconds and at least every 30, between start and stop: keeps
    /// firewalls from forgetting the connection, and notices early what makes the backup worthless.
    /// Throws Error(unavailable) if the session is lost, or the standby was promoted or got WAL
    /// without full page images.
    void keep_alive();

    /// Ends the backup without waiting for WAL to be archived, which is the caller's to do with
    /// its own archive. Throws like keep_alive, and Error(corrupt) for a label not understood.
    [[nodiscard]] BackupStop stop();

private:
    struct Pulse;
    void prepare_session();
    void require_rights();
    void ask_facts();
    [[nodiscard]] Pulse feel_pulse();
    void require_same(const Pulse& now) const;

    std::unique_ptr<Connection> connection_;
    ServerFacts facts_;
    std::unique_ptr<Pulse> first_;  ///< what must stay as it was
};

}  // namespace walden::pg
