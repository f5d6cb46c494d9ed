// The files of one backup on their way into the store, without the server's part: what is read,
// compared, packed and mapped. The protocol around it is backup_run.h's.
#pragma once

#include "backup/changed_files.h"
#include "backup/map_writer.h"
#include "backup/parents.h"
#include "backup/upload_queue.h"
#include "backup/work_reader.h"
#include "backup/work_source.h"
#include "vault/backup_store.h"
#include "vault/pack_writer.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace walden::backup {

struct FileBackupSettings {
    std::string pgdata;
    std::string version_directory;  ///< in tablespaces (pg/relation_file.h)
    std::uint32_t page_size = 0;
    std::uint32_t pages_per_file = 0;
    bool has_checksums = false;  ///< of pages
    codec::PageEncodeOptions encoding;
    std::size_t worker_count = 2;
    std::size_t uploads_in_flight = 3;
    std::size_t rate_max = 0;  ///< bytes a second; 0: as fast as it goes
    /// After so many packs the index so far is stored, for a backup after a crash to go on from.
    std::uint32_t packs_per_part = 64;
};

struct FileBackupProgress {
    std::uint64_t done_bytes = 0;  ///< read, or known not to have changed
    std::uint64_t stored_bytes = 0;
};

/// One thread at a time.
class FileBackup {
public:
    /// `store` must outlive the object. `changes` says which pages need not be read.
    FileBackup(const vault::BackupStore& store, const vault::BackupId& id,
               FileBackupSettings settings, Parents parents, ChangedFiles changes);

    FileBackup(const FileBackup&) = delete;
    FileBackup& operator=(const FileBackup&) = delete;

    /// Reads everything but global/pg_control. `watch` is called every `interval` meanwhile, on the
    /// caller's thread; what it throws ends it. Throws what files, store and codec throw.
    void read(std::chrono::milliseconds interval,
              const std::function<void(const FileBackupProgress&)>& watch);

    /// A page that WAL does not name, and that is not what the backup before has: then WAL does not
    /// tell everything, and what was read is of no use. After read().
    [[nodiscard]] std::optional<SuspectPage> first_surprise();

    struct Result {
        std::vector<vault::MapDigest> index;
        vault::MapDigest usage;
        std::vector<vault::BackupId> owners;
        vault::BackupCounts counts;
        std::vector<SuspectPage> suspects;
    };

    /// Stores what is left, and returns when everything is durable.
    [[nodiscard]] Result finish();

    /// After a failure: stores what the next backup can go on from, as far as that goes.
    void abandon() noexcept;

private:
    const vault::BackupStore& store_;
    vault::BackupId id_;
    FileBackupSettings settings_;
    Parents parents_;
    ChangedFiles changes_;
    KnownPacks known_packs_;
    UploadQueue uploads_;
    vault::PackWriter packs_;
    MapWriter maps_;
    vault::SectionReader sections_;
    Reading reading_;
};

}  // namespace walden::backup
