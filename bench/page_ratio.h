// `walden-bench pages`: how small and how fast the page codec stores data files.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace walden::bench {

struct PageRatioOptions {
    std::vector<std::string> paths;  ///< relation files, or directories of them, a cluster's base/
    std::size_t run_count = 3;
    double bar = 0;  ///< what the page codec's bytes may be of zstd-3's at 256 KiB; 0: no bar
    bool prints_json = false;
};

/// Measures and prints; true unless there is a bar and it is missed. The files together must fit
/// into memory. Throws Error(usage) if there are none, Error(corrupt) if any byte does not come
/// back.
[[nodiscard]] bool run_page_ratio(const PageRatioOptions& options);

}  // namespace walden::bench
