// The base backups that the archive holds, and how each of them stands.
#pragma once

#include "catalog/reachable.h"
#include "vault/backup_record.h"
#include "vault/backup_store.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::catalog {

enum class BackupState : std::uint8_t {
    committed,  ///< can be restored
    running,    ///< begun, and neither committed nor aborted
    aborted,    ///< will never be committed
    expired,    ///< has a tomb
    damaged,    ///< a record of it cannot be read, so nothing is known for sure
};

[[nodiscard]] std::string_view to_string(BackupState state);

struct StoredBackup {
    vault::BackupId id;
    BackupState state = BackupState::running;
    std::optional<vault::BackupIntent> intent;    ///< nullopt if it is damaged, or not there
    std::optional<vault::BackupOutcome> outcome;  ///< of committed, aborted and expired ones
    std::string damage;                           ///< what is wrong with a record; names it

    /// Of a backup with a commit.
    [[nodiscard]] const vault::BackupCommit& commit() const { return *outcome->commit; }

    [[nodiscard]] bool is_restorable() const { return state == BackupState::committed; }

    /// What a committed backup needs, for find_windows().
    [[nodiscard]] BackupSpan span() const;
};

/// All backups, ascending by id. Three small requests for each, some at once. A damaged record is
/// an answer. Throws what the storage throws.
[[nodiscard]] std::vector<StoredBackup> list_backups(const vault::BackupStore& store);

}  // namespace walden::catalog
