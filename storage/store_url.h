// Which kind of store a URL names.
#pragma once

#include <string>
#include <string_view>

namespace walden::storage {

inline constexpr std::string_view directory_scheme = "file://";

/// Whether the URL is of the kind that is a directory of this machine.
[[nodiscard]] inline bool is_directory_url(std::string_view url) {
    return url.starts_with(directory_scheme);
}

}  // namespace walden::storage
