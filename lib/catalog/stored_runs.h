// Which segments the archive has, by listing: the input of line_coverage.h and reachable.h.
#pragma once

#include "catalog/line_coverage.h"
#include "catalog/reachable.h"
#include "vault/cluster_vault.h"
#include "wal/file_name.h"

#include <cstdint>
#include <string>
#include <vector>

namespace walden::catalog {

/// The histories of all timelines that have one. One LIST, and an entry for each. Throws as
/// read_history() does.
[[nodiscard]] Histories read_histories(const vault::ClusterVault& vault);

/// The runs of the timelines of `line`, from segment `from` on. One LIST for each of them. Throws
/// what the storage throws.
[[nodiscard]] RunsByTimeline list_line_runs(const vault::ClusterVault& vault,
                                            const wal::TimelineHistory& line, std::uint64_t from,
                                            wal::SegmentSize size);

/// The runs of all timelines. Lists every entry of the archive.
[[nodiscard]] RunsByTimeline list_runs(const vault::ClusterVault& vault, wal::SegmentSize size);

/// The names of the segments that were damaged at their source, ascending. One LIST.
[[nodiscard]] std::vector<std::string> list_damaged_segments(const vault::ClusterVault& vault);

}  // namespace walden::catalog
