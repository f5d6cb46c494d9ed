// The WAL that the benchmarks read, as made by wal_corpus.py: real segments, several kinds.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <string>
#include <vector>

namespace walden::bench {

struct CorpusSegment {
    std::string name;  ///< PostgreSQL's file name
    Bytes bytes;
};

/// Segments of one workload; README.md describes each kind.
struct CorpusKind {
    std::string name;                     ///< "oltp", "bulk", ...
    std::vector<CorpusSegment> segments;  ///< ascending by name, at least one

    [[nodiscard]] std::uint64_t size() const;
};

/// Reads at most `segments_max` segments of every kind in `directory`, kinds ascending by name.
/// Throws Error(usage) if that is no complete corpus, Error(io).
[[nodiscard]] std::vector<CorpusKind> load_wal_corpus(const std::string& directory,
                                                      std::size_t segments_max);

}  // namespace walden::bench
