// The directory that a restore writes to: what is in it, and whether it may be written to.
#pragma once

#include "base/file.h"
#include "vault/backup_id.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace walden::restore {

/// What a restore finds.
enum class DirectoryState : std::uint8_t {
    fresh,       ///< not there, or empty
    unfinished,  ///< a restore began here and has not ended: it may go on
    cluster,     ///< a data directory of the same cluster, not running
};

/// Whether an existing cluster may be written over, page by page.
enum class OverwriteCluster : std::uint8_t { no, yes };

/// Looks at the directory and at nothing below its own files. Throws Error(usage) for a directory
/// that is neither, of a running server, or of a cluster that may not be written over;
/// Error(foreign) for another cluster's; Error(io | corrupt).
[[nodiscard]] DirectoryState examine_directory(const std::string& path,
                                               std::uint64_t system_identifier,
                                               OverwriteCluster overwrite);

/// Throws Error(usage) if `path` is not there, or empty: for the place of a tablespace.
void require_empty_place(const std::string& path);

/// Throws Error(io) if the file system of `path` has less than `bytes` free. `path` exists.
void require_space(const std::string& path, std::uint64_t bytes);

/// A file that is in the directory for as long as a restore has not ended.
inline constexpr std::string_view restore_marker = "walden.restore";

/// Moves pg_wal aside, to "pg_wal.before-<backup>", and says where; it may hold the only copy of
/// WAL that nobody archived. Empty if there was none, or nothing in it. Throws Error(usage) if it
/// is a link, Error(io).
[[nodiscard]] std::string move_wal_aside(const std::string& directory, const vault::BackupId& id);

}  // namespace walden::restore
