// The records of a base backup: intent, outcome and tomb (FORMAT.md, section 8).
#pragma once

#include "base/bytes.h"
#include "vault/backup_id.h"
#include "vault/entry.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace walden::vault {

/// How the files were read.
enum class BackupMode : std::uint8_t { direct = 1, protocol = 2, dump = 3 };

[[nodiscard]] std::string_view to_string(BackupMode mode);

/// That a backup was begun: from here on its packs, and what its parents name, must not be deleted.
struct BackupIntent {
    BackupId id;
    std::uint64_t system_identifier = 0;
    std::uint64_t start_lsn = 0;
    std::uint32_t start_timeline = 0;
    std::vector<BackupId>
        parents;  ///< whose packs and maps may be named; the first is compared with
    Writer writer;
    std::string label;
    std::string pgdata;
    BackupMode mode = BackupMode::direct;

    friend bool operator==(const BackupIntent&, const BackupIntent&) = default;
};

/// A map object of the backup itself, as its outcome vouches for it.
struct MapDigest {
    std::uint32_t number = 0;
    std::uint64_t plain_size = 0;
    std::array<std::byte, 32> sha256{};  ///< of the plain bytes

    friend bool operator==(const MapDigest&, const MapDigest&) = default;
};

enum class DamageReason : std::uint8_t {
    checksum = 1,   ///< the page's checksum is wrong, and WAL does not repair it
    unknown = 2,    ///< the same, but nobody could look into the WAL
    unreadable = 3  ///< the operating system does not give the page
};

[[nodiscard]] std::string_view to_string(DamageReason reason);

struct DamagedPage {
    std::string path;         ///< relative to the data directory
    std::uint32_t block = 0;  ///< in the file
    DamageReason reason = DamageReason::checksum;

    friend bool operator==(const DamagedPage&, const DamagedPage&) = default;
};

struct BackupTablespace {
    std::uint32_t oid = 0;
    std::string path;  ///< as the server has it; relative if it is in place

    friend bool operator==(const BackupTablespace&, const BackupTablespace&) = default;
};

/// What a server and its files must be like to use the backup.
struct ServerFormat {
    std::uint32_t control_version = 0;
    std::uint32_t catalog_version = 0;
    std::uint16_t major_version = 0;
    std::uint32_t page_size = 0;         ///< bytes
    std::uint32_t pages_per_file = 0;    ///< of a relation's segment
    std::uint32_t segment_size = 0;      ///< of WAL, bytes
    std::uint32_t checksum_version = 0;  ///< 0: pages have none

    friend bool operator==(const ServerFormat&, const ServerFormat&) = default;
};

struct BackupCounts {
    std::uint64_t files = 0;
    std::uint64_t plain_bytes = 0;   ///< of all files
    std::uint64_t stored_bytes = 0;  ///< packs and maps of this backup
    std::uint64_t read_bytes = 0;
    std::uint64_t referenced_pages = 0;  ///< taken from earlier backups

    friend bool operator==(const BackupCounts&, const BackupCounts&) = default;
};

/// All that a committed backup is.
struct BackupCommit {
    std::uint64_t start_lsn = 0;
    std::uint32_t start_timeline = 0;
    std::uint64_t checkpoint_lsn = 0;
    std::uint64_t redo_lsn = 0;  ///< WAL from here to `stop_lsn` makes the files consistent
    std::uint64_t stop_lsn = 0;
    std::uint32_t stop_timeline = 0;
    ServerFormat format;
    MapDigest usage;
    BackupMode mode = BackupMode::direct;
    bool is_from_standby = false;
    std::string backup_label;
    std::string tablespace_map;           ///< may be empty
    Bytes control_file;                   ///< global/pg_control without the zeros at its end
    std::uint32_t directory_mode = 0700;  ///< of the data directory
    std::vector<BackupTablespace> tablespaces;
    std::int64_t began = 0;  ///< Unix seconds; labels
    std::int64_t ended = 0;
    BackupCounts counts;
    std::vector<DamagedPage> damaged_pages;
    std::string label;
    std::optional<BackupId> parent;  ///< the backup that it was compared with
    std::vector<BackupId> owners;    ///< all backups whose packs or maps are named, ascending

    friend bool operator==(const BackupCommit&, const BackupCommit&) = default;
};

/// How a backup ended. Commit and abort are one name in the store, so they exclude each other.
struct BackupOutcome {
    BackupId id;
    std::uint64_t system_identifier = 0;
    Writer writer;
    /// In the order of the paths in them. Of an aborted backup what it had written, for the next
    /// one to go on from.
    std::vector<MapDigest> index;
    std::optional<BackupCommit> commit;  ///< nullopt: aborted
    std::string abort_reason;

    friend bool operator==(const BackupOutcome&, const BackupOutcome&) = default;
};

/// That a backup is expired.
struct BackupTomb {
    BackupId id;
    Writer writer;
    std::string reason;

    friend bool operator==(const BackupTomb&, const BackupTomb&) = default;
};

[[nodiscard]] Bytes encode_intent(const BackupIntent& intent);
[[nodiscard]] Bytes encode_outcome(const BackupOutcome& outcome);
[[nodiscard]] Bytes encode_tomb(const BackupTomb& tomb);

/// Throw Error(corrupt) for bytes that are not such a record, Error(usage) for a newer version or a
/// field that must be understood and is not.
[[nodiscard]] BackupIntent decode_intent(ByteView bytes);
[[nodiscard]] BackupOutcome decode_outcome(ByteView bytes);
[[nodiscard]] BackupTomb decode_tomb(ByteView bytes);

}  // namespace walden::vault
