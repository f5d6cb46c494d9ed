// walden-bench archive, recover and backup: hand over to the scripts in bench/servers, which run
// PostgreSQL, walden and the peers.
#pragma once

#include <string>
#include <vector>

namespace walden::bench {

/// Becomes the driver `script` ("archive.py"), which gets `arguments`, the directory with walden
/// and walden-push, and what figures are labelled with. Throws Error(io).
[[noreturn]] void become_servers_driver(const std::string& script, const std::string& programs,
                                        const std::vector<std::string>& arguments);

}  // namespace walden::bench
