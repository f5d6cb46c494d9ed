// Which walden this is.
#pragma once

#include <string>

namespace walden::cli {

/// The version of walden, from meson.build.
[[nodiscard]] std::string version_text();

}  // namespace walden::cli
