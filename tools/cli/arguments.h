// The command lines of walden-push and walden-fetch: two programs that PostgreSQL starts for every
// segment, so they read their few arguments themselves.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::cli {

struct Arguments {
    std::string config_path;  ///< empty: the default
    std::vector<std::string> operands;
    /// From another program of ours, which has used up some of the deadline.
    std::optional<std::chrono::milliseconds> patience;
    /// From it, too: the agent has failed. If this program does not, the agent is to be replaced.
    bool distrusts_agent = false;
    bool wants_help = false;
    bool wants_version = false;
};

/// Takes --config FILE, --config=FILE, --help, --version and `operand_count` operands; also
/// --patience MILLISECONDS and --distrust-agent, which no help names. Throws Error(usage) for
/// anything else.
[[nodiscard]] Arguments parse_arguments(int argc, char** argv, std::size_t operand_count);

/// The words for another program of ours that goes on with this work: `command` and these options
/// in front of the operands.
[[nodiscard]] std::vector<std::string> words_of(const std::string& command,
                                                const Arguments& arguments);

}  // namespace walden::cli
