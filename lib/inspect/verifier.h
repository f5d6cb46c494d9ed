// Proves that what the archive holds of a cluster is whole: the work behind `walden verify`.
// Reads only (invariants 34 and 35).
#pragma once

#include "base/error.h"
#include "crypto/content_id.h"
#include "inspect/codec_counts.h"
#include "vault/cluster_vault.h"
#include "wal/file_name.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::inspect {

enum class ProblemKind : std::uint8_t {
    missing,       ///< something that is there, or this host's memory, says that it must be there
    corrupt,       ///< truncated, flipped, moved, swapped, undecodable; the message tells which
    extra,         ///< nothing of walden's belongs there
    gap,           ///< no segment where later ones of the timeline are
    fork,          ///< two neighbours that are not of one line
    wal_damaged,   ///< whole as archived, but not valid WAL; damaged at its source
    unreadable,    ///< of a newer format, or sealed to keys that this host does not have
    wal_mismatch,  ///< two neighbours whose records do not continue
};

[[nodiscard]] std::string_view to_string(ProblemKind kind);

/// What a failure to read one object means for it. nullopt for failures of the store itself, which
/// say nothing about the object.
[[nodiscard]] std::optional<ProblemKind> problem_of(const Error& error);

struct Problem {
    ProblemKind kind = ProblemKind::missing;
    std::string object;   ///< the key in the store
    std::string message;  ///< what is wrong and what it breaks
};

enum class Depth : std::uint8_t {
    full,     ///< every byte fetched, authenticated, decoded, hashed; every WAL record checked
    shallow,  ///< names, entries, and the contents' checksums: needs no read key
};

/// The newest segment that this host remembers to have archived.
struct HighWater {
    std::string file_name;
    crypto::ContentId content_id;
};

struct VerifySettings {
    Depth depth = Depth::full;
    std::size_t worker_count = 2;
    std::optional<HighWater> high_water;
    std::function<void(std::uint64_t done, std::uint64_t all)> progress = [](auto, auto) {};
};

struct VerifyReport {
    std::vector<Problem> problems;
    std::vector<std::string>
        notes;  ///< worth knowing, nothing wrong: conflicts kept, pushes under way
    std::uint64_t object_count = 0;
    std::uint64_t segment_count = 0;
    std::uint64_t plain_bytes = 0;  ///< decoded and checked
    std::uint64_t stored_bytes = 0;
    std::uint64_t record_count = 0;  ///< WAL records whose CRC was checked
    CodecCounts codecs;              ///< of the segments
};

/// Checks everything below the cluster's prefix. A problem is only reported after a second look, so
/// pushes that go on meanwhile raise no alarm (fault 87). Throws what the storage throws, and
/// Error(usage) for full depth with a key that cannot read.
[[nodiscard]] VerifyReport verify_cluster(const vault::ClusterVault& vault,
                                          const VerifySettings& settings);

/// Checks the repository's own objects: descriptor, key slots, and that there is nothing else
/// beside the clusters.
[[nodiscard]] std::vector<Problem> verify_repository(vault::ObjectStorage& storage);

}  // namespace walden::inspect
