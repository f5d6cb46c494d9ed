// walden-bench stages: what each step of archiving and restoring one segment costs.
#pragma once

#include <string>

namespace walden::bench {

struct StagesOptions {
    std::string corpus;  ///< made by wal_corpus.py
    std::string kind = "oltp";
    std::string programs;              ///< the directory with walden, walden-push and walden-fetch
    std::string scratch = "/var/tmp";  ///< on the disk to measure
    std::size_t run_count = 15;
    bool prints_json = false;
};

/// Measures and prints. Throws Error.
void run_stages(const StagesOptions& options);

}  // namespace walden::bench
