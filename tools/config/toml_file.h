// The door to toml++: the text of a configuration as values.
#pragma once

#include "base/config_value.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace walden::cli {

/// Text that is no TOML, or that the parser must not be given.
struct TomlFault {
    std::size_t line = 0;  ///< from 1; 0 if it is not known
    std::string complaint;
    std::string hint;  ///< what to write instead; empty if that is not known
};

/// The sections and values of a file, at most eight deep: what lies deeper has no type. Throws
/// TomlFault.
[[nodiscard]] ConfigTable parse_toml(std::string_view text);

}  // namespace walden::cli
