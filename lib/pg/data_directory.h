// What a data directory tells of its cluster without a running server.
#pragma once

#include "pg/control_file.h"
#include "wal/file_name.h"

#include <cstdint>
#include <optional>
#include <string>

namespace walden::pg {

struct DataDirectory {
    ControlFile control;
    std::uint16_t major_version = 0;  ///< from PG_VERSION
    wal::SegmentSize segment_size;    ///< pg_control's, else of a segment in pg_wal
};

/// nullopt if there is no global/pg_control below `pgdata`. Throws Error(io | corrupt), also when
/// pg_wal holds no segment of the cluster to learn the segment size from.
[[nodiscard]] std::optional<DataDirectory> read_data_directory(const std::string& pgdata);

}  // namespace walden::pg
