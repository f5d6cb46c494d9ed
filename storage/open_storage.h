// From a URL to a storage on this machine. What the programs link that PostgreSQL starts for each
// segment; `walden` itself knows more kinds (tools/commands/any_store.h).
#pragma once

#include "vault/object_storage.h"

#include <memory>
#include <string>

namespace walden::storage {

/// "file:///absolute/path". Throws Error(usage) for another URL, also one of a kind that needs
/// libcurl; Error(not_found) if the place is not there.
[[nodiscard]] std::unique_ptr<vault::ObjectStorage> open_storage(const std::string& url);

/// Removes what writers that are gone left unfinished (storage/posix/temporaries.h). How many files
/// that were.
std::size_t sweep_storage(const std::string& url);

/// Makes the place if it can be made (a directory), for `walden init`.
void create_storage(const std::string& url);

}  // namespace walden::storage
