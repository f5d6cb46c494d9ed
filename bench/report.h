// Figures for people (an aligned table) and for later comparison (one JSON object a line).
#pragma once

#include "bench/measure.h"

#include <span>
#include <string>

namespace walden::bench {

/// Where figures come from; without it they cannot be compared.
struct Environment {
    std::string commit;    ///< `git describe --always --dirty` of the build; "unknown" without git
    std::string compiler;  ///< "gcc 12.2.0, optimised"
    std::string machine;   ///< processor, processor count, kernel
};

/// This program on this machine.
[[nodiscard]] Environment describe_environment();

/// Lines that each end in "\n", one for each figure. Times in milliseconds.
[[nodiscard]] std::string to_json_lines(std::span<const Figure> figures,
                                        const Environment& environment);

/// A head line and one line for each figure.
[[nodiscard]] std::string to_table(std::span<const Figure> figures);

}  // namespace walden::bench
