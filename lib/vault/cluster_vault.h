// One cluster's part of a repository, floor by floor: objects, on them contents, entries and
// claims. Each floor says itself what it does; this is only what they have in common.
#pragma once

#include "vault/claims.h"
#include "vault/contents.h"
#include "vault/layout.h"
#include "vault/sealed_objects.h"
#include "vault/wal_entries.h"

#include <utility>

namespace walden::vault {

/// Owns the floors, which refer to one another: it stays where it is made. Immutable, so safe to
/// use from several threads.
class ClusterVault {
public:
    /// `storage` must outlive the vault. `worker_count`: threads for hashing and decoding one file.
    ClusterVault(ObjectStorage& storage, ClusterKeyring keys, ClusterLayout layout,
                 std::size_t worker_count)
        : layout_(std::move(layout)),
          objects_(storage, std::move(keys)),
          contents_(objects_, layout_, worker_count),
          entries_(objects_),
          claims_(objects_, layout_) {}

    ClusterVault(const ClusterVault&) = delete;
    ClusterVault& operator=(const ClusterVault&) = delete;

    [[nodiscard]] const ClusterLayout& layout() const { return layout_; }

    [[nodiscard]] ObjectStorage& storage() const { return objects_.storage(); }

    [[nodiscard]] const ClusterKeyring& keys() const { return objects_.keys(); }

    /// For kinds of objects that have no floor of their own.
    [[nodiscard]] const SealedObjects& objects() const { return objects_; }

    [[nodiscard]] const Contents& contents() const { return contents_; }

    [[nodiscard]] const WalEntries& entries() const { return entries_; }

    [[nodiscard]] const Claims& claims() const { return claims_; }

private:
    ClusterLayout layout_;
    SealedObjects objects_;
    Contents contents_;
    WalEntries entries_;
    Claims claims_;
};

}  // namespace walden::vault
