// Which data directory lies at a path: restores bring another one to the same place.
#pragma once

#include "base/file_identity.h"

#include <cstdint>
#include <optional>
#include <string>

namespace walden::agent {

/// A data directory keeps its inode when it is emptied and filled again, and a file system gives
/// freed inodes to new files: so it is told by its own, by that of global/, which PostgreSQL never
/// makes again, and by when that was made.
struct DataDirectory {
    FileIdentity directory;
    FileIdentity global;
    std::int64_t made_seconds = 0;  ///< 0 where the file system does not tell
    std::int64_t made_nanoseconds = 0;

    friend bool operator==(const DataDirectory&, const DataDirectory&) = default;
};

/// nullopt if there is none at `path`: one has global/pg_control. Opens nothing.
[[nodiscard]] std::optional<DataDirectory> find_data_directory(const std::string& path);

}  // namespace walden::agent
