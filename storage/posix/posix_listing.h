// Listing a directory tree in the order of its keys.
#pragma once

#include "storage/posix/directory_tree.h"
#include "vault/object_storage.h"

#include <functional>
#include <string>

namespace walden::storage {

/// Implements ObjectStorage::list() for files below `tree`; `prefix` is valid. Names that no key
/// can have (temporaries, lost+found) are not looked at; anything else that is neither a file nor a
/// directory is an Error(io). Holds one directory's names per level in memory. Does not ask whether
/// the root is still in place.
void list_objects(const DirectoryTree& tree, const std::string& prefix,
                  const std::string& start_after,
                  const std::function<bool(const vault::ObjectInfo&)>& visit);

}  // namespace walden::storage
