#include "catalog/stored_backups.h"

#include "base/error.h"
#include "base/parallel.h"

namespace walden::catalog {

namespace {

constexpr std::size_t requests_in_flight = 8;

void read_records(const vault::BackupStore& store, StoredBackup& backup) {
    // The tomb last: a backup that expires meanwhile is expired.
    backup.intent = store.find_intent(backup.id);
    backup.outcome = store.find_outcome(backup.id);
    const bool has_tomb = store.find_tomb(backup.id).has_value();
    if (has_tomb)
        backup.state = BackupState::expired;
    else if (!backup.outcome)
        backup.state = BackupState::running;
    else
        backup.state = backup.outcome->commit ? BackupState::committed : BackupState::aborted;
}

}  // namespace

std::string_view to_string(BackupState state) {
    switch (state) {
        case BackupState::committed: return "committed";
        case BackupState::running: return "running";
        case BackupState::aborted: return "aborted";
        case BackupState::expired: return "expired";
        case BackupState::damaged: return "damaged";
    }
    return "unknown";
}

BackupSpan StoredBackup::span() const {
    return {.id = to_string(id),
            .timeline = commit().stop_timeline,
            .start = {commit().redo_lsn},
            .stop = {commit().stop_lsn}};
}

std::vector<StoredBackup> list_backups(const vault::BackupStore& store) {
    std::vector<StoredBackup> backups;
    for (const vault::BackupId& id : store.list()) {
        backups.emplace_back();
        backups.back().id = id;
    }
    for_each_index_in_parallel(backups.size(), requests_in_flight, [&](std::size_t i) {
        try {
            read_records(store, backups[i]);
        } catch (const Error& error) {
            if (!is_damage(error)) throw;
            backups[i].state = BackupState::damaged;
            backups[i].damage = error.message();
        }
    });
    return backups;
}

}  // namespace walden::catalog
