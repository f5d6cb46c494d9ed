// Proves that the base backups of a cluster are whole: their records, their maps, and every pack
// that a backup names. A part of verify_cluster().
#pragma once

#include "catalog/stored_backups.h"
#include "vault/backup_store.h"
#include "vault/cluster_vault.h"

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace walden::inspect {

/// What is looked at in maps and packs.
enum class BackupDepth : std::uint8_t {
    frames,     ///< every frame is authenticated and opened; needs a key that can read
    checksums,  ///< what can be told without a key: that the object is whole and of its name
};

class BackupChecker {
public:
    /// Looks at one object and returns what is wrong with it, "" if nothing is; it may throw.
    using Look = std::function<std::string()>;
    /// Takes the key of an object and how to look at it, as often as somebody likes.
    using Check = std::function<void(const std::string& key, const Look& look)>;

    /// Both must outlive the object.
    BackupChecker(const vault::ClusterVault& vault, BackupDepth depth, Check check)
        : vault_(vault),
          store_(vault.objects(), vault.layout()),
          depth_(depth),
          check_(std::move(check)) {}

    /// Checks all backups; `keys` are the objects below backups/ that a listing shows. Returns
    /// those that belong to a backup. Throws what the storage throws.
    [[nodiscard]] std::set<std::string> run(const std::vector<std::string>& keys);

private:
    [[nodiscard]] std::set<std::string> keys_of(const vault::BackupId& id,
                                                const std::vector<std::string>& keys) const;
    void check_records(const catalog::StoredBackup& backup);
    void check_named(const catalog::StoredBackup& backup);
    [[nodiscard]] std::string look_at_object(vault::ObjectKind kind, const std::string& key) const;

    const vault::ClusterVault& vault_;
    vault::BackupStore store_;
    BackupDepth depth_;
    Check check_;
    std::set<std::string> checked_;  ///< maps and packs: several backups may name one
};

}  // namespace walden::inspect
