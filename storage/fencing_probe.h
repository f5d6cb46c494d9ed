// Whether a store really creates only if absent, found out by trying.
#pragma once

#include "vault/object_storage.h"

#include <string>
#include <vector>

namespace walden::storage {

struct FencingProof {
    bool is_proven = false;
    std::string reason;  ///< why not: "the second of two writers ..."; empty if proven
};

/// Writes two different bodies to one new key, and lets sixteen writers race for another. Proven if
/// the first body stays and exactly one of the sixteen wins, whose body stays. Both keys begin with
/// `key` and are removed again, if that is allowed. An attempt that is `unavailable` is repeated a
/// few times; what it may have left counts for the writer that made it. Throws what `storage`
/// throws.
[[nodiscard]] FencingProof probe_fencing(vault::ObjectStorage& storage, const std::string& key);

/// Removes what a probe wrote, and does without where this host may not remove anything.
void remove_if_allowed(vault::ObjectStorage& storage, const std::vector<std::string>& keys);

}  // namespace walden::storage
