// The lines of descent that the archive knows.
#pragma once

#include "vault/cluster_vault.h"
#include "wal/file_name.h"
#include "wal/timeline_history.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace walden::catalog {

/// What a recovery with that recovery_target_timeline ("latest", "current" or a decimal number)
/// follows whose checkpoint is on timeline `from`; as far as the archive tells, which is all there
/// is but for histories in the server's own pg_wal. A timeline without a history has no ancestors.
/// Throws as read_history(), Error(usage) for another text.
[[nodiscard]] wal::TimelineHistory read_target_line(const vault::ClusterVault& vault,
                                                    std::string_view target_timeline,
                                                    wal::TimelineId from);

/// The line that a server most likely follows which asks for `segment`: of the newest timeline that
/// descends through it, as for recovery_target_timeline = latest. nullopt if no timeline is known
/// to have left the segment's. One LIST and at most guess_reads_max histories; those that are
/// damaged are passed over. Throws what the storage throws.
inline constexpr std::size_t guess_reads_max = 4;
[[nodiscard]] std::optional<wal::TimelineHistory> guess_line(const vault::ClusterVault& vault,
                                                             const wal::SegmentName& segment,
                                                             wal::SegmentSize size);

/// The last segment of the line that the archive has, from segment number `from` on; nullopt if it
/// has none of them. One LIST for each timeline up to the first that has one, newest first; none is
/// followed further than `names_max` segments, which then is the answer.
[[nodiscard]] std::optional<wal::SegmentName> find_line_end(
    const vault::ClusterVault& vault, const wal::TimelineHistory& line, wal::SegmentSize size,
    std::uint64_t from, std::size_t names_max = std::numeric_limits<std::size_t>::max());

}  // namespace walden::catalog
