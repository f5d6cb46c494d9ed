// walden-bench archive and recover: hand over to the scripts in bench/archive, which run
// PostgreSQL, walden and the peers.
#pragma once

#include <string>
#include <vector>

namespace walden::bench {

/// Becomes the driver `script` ("archive.py"), which gets `arguments`, the directory with walden
/// and walden-push, this program's path (for its latency proxy) and what figures are labelled with.
/// Throws Error(io).
[[noreturn]] void become_archive_driver(const std::string& script, const std::string& programs,
                                        const std::vector<std::string>& arguments);

}  // namespace walden::bench
