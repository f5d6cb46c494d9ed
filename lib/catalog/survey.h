// What the archive of one cluster holds, from listings and a few entries: the work behind
// `walden info`, and the first step of `walden verify`. Reads only.
#pragma once

#include "catalog/codec_counts.h"
#include "catalog/line_coverage.h"
#include "vault/cluster_vault.h"
#include "wal/file_name.h"
#include "wal/stored_facts.h"
#include "wal/timeline_history.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace walden::catalog {

/// What one end of a run tells.
struct SegmentSummary {
    std::string file_name;
    wal::StoredFacts facts;
    std::int64_t archived = 0;  ///< Unix seconds, by the writer's clock
};

struct TimelineSurvey {
    wal::TimelineId timeline = 0;
    std::vector<SegmentRun> runs;  ///< ascending; more than one means holes
    std::uint64_t segment_count = 0;
    std::uint64_t plain_bytes = 0;
    std::uint64_t stored_bytes = 0;  ///< entries and contents
    std::optional<wal::TimelineHistory> history;
    bool has_history_file = false;
    std::optional<vault::Claim> owner;
    std::optional<SegmentSummary> oldest;
    std::optional<SegmentSummary> newest;
    std::optional<wal::Timestamp> latest_commit;  ///< the newest commit or abort that was archived
    CodecCounts newest_codecs;  ///< of the newest segments, at most codec_sample_max of them
};

/// WAL that was bad already when it was archived; no recovery passes it.
struct DamagedSegment {
    std::string file_name;
    wal::Lsn stopped_at;
    std::string reason;
};

/// So many entries of a timeline are read for their codecs: a change of what the archive becomes
/// shows, and the time does not grow with the archive. `walden verify` counts all of them.
inline constexpr std::uint64_t codec_sample_max = 64;

struct ClusterSurvey {
    std::uint64_t system_identifier = 0;
    std::optional<vault::ClusterIdentity> identity;
    std::vector<TimelineSurvey> timelines;  ///< ascending
    std::vector<std::string> labels;        ///< object names below labels/
    std::vector<std::string> conflicts;     ///< object names below conflicts/
    std::vector<DamagedSegment> damaged;    ///< ascending
    /// What is damaged of the objects that were read, one message for each, which names it. What it
    /// would have told is left out above.
    std::vector<std::string> unreadable;

    /// The history of a timeline; nullptr if there is none that could be read.
    [[nodiscard]] const wal::TimelineHistory* history_of(wal::TimelineId id) const;

    /// The timelines that have one, ascending.
    [[nodiscard]] std::vector<wal::TimelineId> timelines_with_history() const;
};

/// Lists the cluster and reads its claims, its histories, and the entries at the ends of its
/// timelines, on some threads. Throws what the storage throws, and what Claims::find_identity
/// throws for the cluster's identity, without which nothing can be told.
[[nodiscard]] ClusterSurvey survey_cluster(const vault::ClusterVault& vault,
                                           std::uint64_t system_identifier);

/// The segment name in the key of an entry below wal/, nullopt for another key.
[[nodiscard]] std::optional<wal::SegmentName> segment_of_key(const std::string& key,
                                                             wal::SegmentSize size);

}  // namespace walden::catalog
