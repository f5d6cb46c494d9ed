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
    bool wants_help = false;
    bool wants_version = false;
};

/// Takes --config FILE, --config=FILE, --patience MILLISECONDS (which no help names), --help,
/// --version and `operand_count` operands. Throws Error(usage) for anything else.
[[nodiscard]] Arguments parse_arguments(int argc, char** argv, std::size_t operand_count);

}  // namespace walden::cli
