// [store] of the configuration: where a store is and how it is reached, whatever its kind. Plain
// data: a program can read it without being able to open every kind.
#pragma once

#include "base/setting.h"
#include "storage/s3/s3_settings.h"

#include <string>
#include <string_view>
#include <vector>

namespace walden::storage {

struct StoreSettings {
    std::string url;
    s3::S3Settings s3;  ///< bucket and prefix are those of an s3:// URL
};

[[nodiscard]] std::vector<Setting<StoreSettings>> store_setting_table();

/// Takes what the URL says, and checks what one setting needs of another. Throws Error(usage).
void complete(StoreSettings& settings);

inline constexpr std::string_view directory_scheme = "file://";
inline constexpr std::string_view store_url_patterns =
    "file:///absolute/path or s3://bucket/prefix";

/// Whether the URL is of the kind that is a directory of this machine.
[[nodiscard]] inline bool is_directory_url(std::string_view url) {
    return url.starts_with(directory_scheme);
}

/// Whether the URL is of a kind that some program of ours can open.
[[nodiscard]] inline bool is_store_url(std::string_view url) {
    return is_directory_url(url) || url.starts_with(s3::s3_scheme);
}

}  // namespace walden::storage
