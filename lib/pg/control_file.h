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

struct ControlFile {
    std::uint64_t system_identifier = 0;
    std::uint32_t control_version = 0;  ///< 1300 for PostgreSQL 13 to 16, 1700, 1800
    std::uint32_t catalog_version = 0;
    ClusterState state = ClusterState::starting_up;
    WalPosition checkpoint;  ///< the latest one
    /// How far recovery must go at least before the data is consistent; none if it need not.
    std::optional<WalPosition> minimum_recovery;
    std::optional<wal::SegmentSize> segment_size;  ///< none if the file's layout is not a known one
};

/// Parses the file's bytes; nullopt unless it is a control file whose CRC-32C is right. The server
/// may be writing it: a caller reads again before it believes in damage: the release notes of
/// PostgreSQL 13.13 and 15.5 tell of torn reads.
[[nodiscard]] std::optional<ControlFile> parse_control_file(ByteView bytes);

/// Reads <pgdata>/global/pg_control, a few times if it is torn. nullopt if there is none. Throws
/// Error(corrupt | io).
[[nodiscard]] std::optional<ControlFile> read_control_file(const std::string& pgdata);

/// The bytes of a control file whose latest checkpoint is at 0/DEAD, where none can be, with a CRC
/// that is right: a server starts from it only by a backup_label. `bytes` must be what
/// parse_control_file() takes; Error(corrupt) otherwise.
[[nodiscard]] Bytes with_unusable_checkpoint(ByteView bytes);

}  // namespace walden::pg
