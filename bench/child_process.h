// Runs one of our programs, or a peer's, and waits for it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace walden::bench {

/// Starts argv[0] (looked up in PATH) in `directory` with stdout discarded and waits for it. Throws
/// Error(io) if it cannot be started or does not end with 0.
void require_child(const std::vector<std::string>& argv, const std::string& directory);

/// The peak memory of the same child, bytes. The kernel counts what the parent had resident when it
/// forked as the child's, so the child is started by a small one in between: this program itself,
/// which must call run_as_launcher() first in main.
[[nodiscard]] std::uint64_t peak_memory_of_child(const std::vector<std::string>& argv,
                                                 const std::string& directory);

/// How many system calls the child makes, of all its threads, by strace; 0 where there is none.
[[nodiscard]] std::uint64_t system_calls_of_child(const std::vector<std::string>& argv,
                                                  const std::string& directory);

/// Does the launcher's work and returns true if this process was started as one.
[[nodiscard]] bool run_as_launcher(int argc, char** argv);

}  // namespace walden::bench
