// `walden-bench ratio`: how small and how fast, by kind of WAL and method, and the bars.
#pragma once

#include <cstddef>
#include <string>

namespace walden::bench {

struct RatioOptions {
    std::string corpus;             ///< made by wal_corpus.py
    std::string kinds;              ///< with commas between; empty: all
    std::size_t segment_count = 2;  ///< of each kind
    std::size_t run_count = 5;
    bool runs_one_shot = true;  ///< fresh processes as well
    bool prints_json = false;
};

/// Measures and prints; true if all bars that the kinds allow to judge are met. Throws Error(usage)
/// for a corpus without what is asked for, Error(corrupt) if any byte does not come back.
[[nodiscard]] bool run_ratio(const RatioOptions& options);

/// What the fresh processes are: encodes the file by the method, verified where that is usual.
void encode_once(const std::string& method, const std::string& path);

}  // namespace walden::bench
