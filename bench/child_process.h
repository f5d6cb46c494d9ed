// Runs one of our programs, or a peer's, and waits for it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace walden::bench {

struct ChildResult {
    int exit_code = 0;                 ///< 128 + signal if it was killed
    std::uint64_t peak_rss_bytes = 0;
};

/// Starts argv[0] (looked up in PATH) in `directory` with stdout discarded. Throws Error(io) if it
/// cannot be started.
[[nodiscard]] ChildResult run_child(const std::vector<std::string>& argv,
                                    const std::string& directory);

/// As run_child; throws Error(io) unless it ends with 0.
ChildResult require_child(const std::vector<std::string>& argv, const std::string& directory);

}  // namespace walden::bench
