// Who wrote the files that the archive has twice: two servers, or one that went back in time.
#pragma once

#include "vault/cluster_vault.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace walden::commands {

enum class ConflictOrigin : std::uint8_t {
    one_instance,   ///< reverted to a snapshot, or its data directory to an older copy
    two_instances,  ///< or one of the two entries cannot be read
};

/// Of objects below conflicts/, by their names there. Reads two entries for each of the first
/// hundred; those behind are taken for what the hundredth is.
[[nodiscard]] std::vector<ConflictOrigin> find_origins(const vault::ClusterVault& vault,
                                                       const std::vector<std::string>& conflicts);

/// What to do about a server that went back in time.
inline constexpr std::string_view went_back_hint =
    "Its machine was reverted to a snapshot, or its data directory replaced by an older copy. "
    "There "
    "are two ways out. To keep what the archive has: stop this server, and restore it from a base "
    "backup and the archive. To keep what it has now: give it another cluster name in the "
    "configuration, run \"walden init\", and take a base backup.";

}  // namespace walden::commands
