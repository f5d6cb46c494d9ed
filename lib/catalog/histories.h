// The timeline histories that the archive holds.
#pragma once

#include "vault/cluster_vault.h"
#include "wal/file_name.h"
#include "wal/timeline_history.h"

#include <optional>
#include <span>
#include <vector>

namespace walden::catalog {

/// The timelines above `above` that have a history in the archive, ascending. One LIST. Throws what
/// the storage throws.
[[nodiscard]] std::vector<wal::TimelineId> list_histories(const vault::ClusterVault& vault,
                                                          wal::TimelineId above = 0);

/// The history of a timeline; nullopt if the archive positively has none. Throws what WalEntries
/// and Contents throw, Error(corrupt) for one that is malformed.
[[nodiscard]] std::optional<wal::TimelineHistory> read_history(const vault::ClusterVault& vault,
                                                               wal::TimelineId timeline);

/// What recovery_target_timeline = "latest" means for a server on `from`, where `known` has a
/// history for each of these timelines (ascending): the last with consecutive numbers behind it
/// (findNewestTimeLine in timeline.c). `from` if there is none.
[[nodiscard]] wal::TimelineId newest_timeline(wal::TimelineId from,
                                              std::span<const wal::TimelineId> known);

}  // namespace walden::catalog
