// From a URL to a storage: the one place that knows all of them.
#pragma once

#include <memory>
#include <string>

#include "vault/object_storage.h"

namespace walden::storage {

/// "file:///absolute/path". Throws Error(usage) for another URL, Error(not_found) if the place is
/// not there.
[[nodiscard]] std::unique_ptr<vault::ObjectStorage> open_storage(const std::string& url);

/// Whether the URL is of a kind that is a directory of this machine.
[[nodiscard]] bool is_directory_url(const std::string& url);

/// Makes the place if it can be made (a directory), for `walden init`.
void create_storage(const std::string& url);

}  // namespace walden::storage
