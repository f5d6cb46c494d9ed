#include "inspect/backup_checker.h"

#include "base/error.h"
#include "base/format.h"
#include "vault/backup_map.h"

namespace walden::inspect {

namespace {

constexpr std::string_view is_missing =
    "it is not there, and a backup cannot be restored without it";

/// Runs `read`; that an object is not there is what is wrong with it.
template <class Read>
std::string look_by(const Read& read) {
    try {
        read();
        return "";
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::missing) throw;
        return std::string(is_missing);
    }
}

}  // namespace

std::set<std::string> BackupChecker::run(const std::vector<std::string>& keys) {
    std::set<std::string> known;
    for (const catalog::StoredBackup& backup : catalog::list_backups(store_)) {
        known.merge(keys_of(backup.id, keys));
        check_records(backup);
        if (backup.is_restorable()) check_named(backup);
    }
    return known;
}

/// Records, and whatever lies under the numbers of maps and packs: a backup that was killed leaves
/// some that nobody names.
std::set<std::string> BackupChecker::keys_of(const vault::BackupId& id,
                                             const std::vector<std::string>& keys) const {
    const vault::ClusterLayout& layout = vault_.layout();
    std::set<std::string> known{layout.intent_key(id), layout.outcome_key(id), layout.tomb_key(id)};
    for (const std::string& key : keys)
        if (key.starts_with(layout.maps_prefix(id)) || key.starts_with(layout.packs_prefix(id)))
            known.insert(key);
    return known;
}

void BackupChecker::check_records(const catalog::StoredBackup& backup) {
    check_(vault_.layout().intent_key(backup.id), [&] {
        return std::string(store_.find_intent(backup.id) ? "" : "the backup has no intent");
    });
    check_(vault_.layout().outcome_key(backup.id), [&] {
        static_cast<void>(store_.find_outcome(backup.id));
        return std::string();
    });
    check_(vault_.layout().tomb_key(backup.id), [&] {
        static_cast<void>(store_.find_tomb(backup.id));
        return std::string();
    });
}

void BackupChecker::check_named(const catalog::StoredBackup& backup) {
    const vault::BackupCommit& commit = backup.commit();
    for (const vault::MapDigest& part : backup.outcome->index)
        check_(vault_.layout().map_key(backup.id, part.number), [&] {
            return look_by([&] { static_cast<void>(store_.read_map(backup.id, part)); });
        });
    vault::BackupUsage usage;
    check_(vault_.layout().map_key(backup.id, commit.usage.number), [&] {
        return look_by(
            [&] { usage = vault::decode_usage(store_.read_map(backup.id, commit.usage)); });
    });
    for (const vault::OwnerUsage& owner : usage) {
        for (const std::uint32_t number : owner.maps) {
            const std::string key = vault_.layout().map_key(owner.owner, number);
            if (checked_.insert(key).second)
                check_(key, [&] { return look_at_object(vault::ObjectKind::map, key); });
        }
        for (const vault::PackUsage& pack : owner.packs) {
            const std::string key = vault_.layout().pack_key(owner.owner, pack.number);
            if (checked_.insert(key).second)
                check_(key, [&] { return look_at_object(vault::ObjectKind::pack, key); });
        }
    }
}

std::string BackupChecker::look_at_object(vault::ObjectKind kind, const std::string& key) const {
    Bytes object;
    if (!vault_.storage().get(key, object)) return std::string(is_missing);
    if (depth_ == BackupDepth::frames)
        static_cast<void>(vault_.objects().unseal({.kind = kind, .key = key}, object));
    else
        vault_.objects().inspect({.kind = kind, .key = key}, object);
    return "";
}

}  // namespace walden::inspect
