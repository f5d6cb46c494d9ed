// Contents between encoding and storing: for whoever lets the one run beside the other.
#pragma once

#include "base/bytes.h"
#include "vault/cluster_vault.h"

#include <optional>
#include <string>

namespace walden::vault {

/// One content, encoded, decoded again for comparison and sealed; not in the store yet.
struct SealedContent {
    std::string key;
    Bytes object;
};

/// Does the first half of ClusterVault::put_contents for a file that is one piece, so that the
/// plain bytes can be given back before the store has answered. `entry` has name and content id; it
/// is given plain_size, its piece and, for a small content, the inlined object: then there is
/// nothing to store and the result is nullopt. Throws Error(usage) for more than piece_size_max
/// bytes.
[[nodiscard]] std::optional<SealedContent> seal_content(const ClusterVault& vault, ByteView plain,
                                                        const codec::EncodeOptions& options,
                                                        Entry& entry);

/// The other half: durable when it returns. An object of that name is the same content, sealed
/// earlier; it is checked, and its size noted in `entry`.
void put_sealed_content(const ClusterVault& vault, const SealedContent& content, Entry& entry);

}  // namespace walden::vault
