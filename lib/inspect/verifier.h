// Proves that what the archive holds of a cluster is whole: the work behind `walden verify`.
// Reads only (invariants 34 and 35).
#pragma once

#include "catalog/codec_counts.h"
#include "catalog/problem.h"
#include "crypto/content_id.h"
#include "vault/cluster_vault.h"
#include "wal/file_name.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace walden::inspect {

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
    std::vector<catalog::Problem> problems;
    std::vector<std::string>
        notes;  ///< worth knowing, nothing wrong: conflicts kept, pushes under way
    std::uint64_t object_count = 0;
    std::uint64_t segment_count = 0;
    std::uint64_t plain_bytes = 0;  ///< decoded and checked
    std::uint64_t stored_bytes = 0;
    std::uint64_t record_count = 0;  ///< WAL records whose CRC was checked
    catalog::CodecCounts codecs;     ///< of the segments
};

/// Checks everything below the cluster's prefix. A problem is only reported after a second look, so
/// pushes that go on meanwhile raise no alarm (fault 87). Throws what the storage throws, and
/// Error(usage) for full depth with a key that cannot read.
[[nodiscard]] VerifyReport verify_cluster(const vault::ClusterVault& vault,
                                          const VerifySettings& settings);

/// Checks the repository's own objects: descriptor, key slots, and that there is nothing else
/// beside the clusters.
[[nodiscard]] std::vector<catalog::Problem> verify_repository(vault::ObjectStorage& storage);

}  // namespace walden::inspect
