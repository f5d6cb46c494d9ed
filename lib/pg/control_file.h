// global/pg_control: which cluster a data directory is (src/include/catalog/pg_control.h).
#pragma once

#include "base/bytes.h"
#include "wal/file_name.h"
#include "wal/lsn.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace walden::pg {

/// DBState of pg_control.h.
enum class ClusterState : std::uint32_t {
    starting_up = 0,
    shut_down = 1,
    shut_down_in_recovery = 2,
    shutting_down = 3,
    in_crash_recovery = 4,
    in_archive_recovery = 5,
    in_production = 6,
};

/// A place in the WAL that a data directory depends on.
struct WalPosition {
    wal::Lsn lsn;
    wal::TimelineId timeline = 0;

    friend bool operator==(const WalPosition&, const WalPosition&) = default;
};

/// How a cluster lays out its files: what was compiled in, and what initdb was told.
struct ClusterGeometry {
    std::uint32_t page_size = 0;         ///< bytes (BLCKSZ)
    std::uint32_t pages_per_file = 0;    ///< of a segment of a relation (RELSEG_SIZE)
    std::uint32_t wal_page_size = 0;     ///< bytes (XLOG_BLCKSZ)
    wal::SegmentSize segment_size;       ///< of WAL
    std::uint32_t checksum_version = 0;  ///< of pages; 0: they have none

    friend bool operator==(const ClusterGeometry&, const ClusterGeometry&) = default;
};

struct ControlFile {
    std::uint64_t system_identifier = 0;
    std::uint32_t control_version = 0;  ///< 1300 for PostgreSQL 13 to 16, 1700, 1800
    std::uint32_t catalog_version = 0;
    ClusterState state = ClusterState::starting_up;
    WalPosition checkpoint;            ///< the latest one
    wal::Lsn redo;                     ///< where replay from that checkpoint begins
    bool has_full_page_writes = true;  ///< full_page_writes at that checkpoint
    /// How far recovery must go at least before the data is consistent; none if it need not.
    std::optional<WalPosition> minimum_recovery;
    /// Both none if the file's layout is not a known one.
    std::optional<wal::SegmentSize> segment_size;
    std::optional<ClusterGeometry> geometry;
};

/// Parses the file's bytes; nullopt unless it is a control file whose CRC-32C is right. The server
/// may be writing it: a caller reads again before it believes in damage: the release notes of
/// PostgreSQL 13.13 and 15.5 tell of torn reads.
[[nodiscard]] std::optional<ControlFile> parse_control_file(ByteView bytes);

/// Reads <pgdata>/global/pg_control, a few times if it is torn. nullopt if there is none. Throws
/// Error(corrupt | io).
[[nodiscard]] std::optional<ControlFile> read_control_file(const std::string& pgdata);

/// The release of PostgreSQL that a catalog version belongs to: 13 to 18. nullopt for others, betas
/// among them (CATALOG_VERSION_NO in src/include/catalog/catversion.h).
[[nodiscard]] std::optional<int> major_version_of(std::uint32_t catalog_version);

/// The checkpoint that an unusable control file names: 0/DEAD.
inline constexpr wal::Lsn unusable_checkpoint{0xDEAD};

/// The same file with `unusable_checkpoint` as its checkpoint and the CRC made right. A server with
/// backup_label takes the checkpoint from there and never looks at this one. Without, it stops: a
/// user who removes backup_label, as PostgreSQL's own hint advises, would otherwise get a server
/// that begins to replay too late and is damaged without a word (pitfall 10). `bytes` must be what
/// parse_control_file() takes; Error(corrupt) otherwise.
[[nodiscard]] Bytes with_unusable_checkpoint(ByteView bytes);

}  // namespace walden::pg
