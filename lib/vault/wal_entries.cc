#include "vault/wal_entries.h"

#include "base/error.h"
#include "base/format.h"

namespace walden::vault {

namespace {

[[noreturn]] void fail_gone(const std::string& key) {
    throw Error(ErrorKind::unavailable, format("entry \"{}\" was there and is gone", key));
}

}  // namespace

std::optional<StoredEntry> WalEntries::find(const std::string& key) const {
    const auto record = objects_.get_record({.kind = ObjectKind::entry, .key = key});
    if (!record) return std::nullopt;
    return in_context(
        [&] { return format("read entry \"{}\"", key); },
        [&] { return StoredEntry{.entry = decode_entry(record->body), .size = record->size}; });
}

Published WalEntries::publish(const std::string& key, const Entry& entry) const {
    if (objects_.put_record({.kind = ObjectKind::entry, .key = key}, encode_entry(entry)) ==
        ObjectStorage::PutOutcome::created)
        return {.outcome = PublishOutcome::created, .present = std::nullopt};
    auto present = find(key);
    if (!present) fail_gone(key);
    const bool is_same = present->entry.content_id == entry.content_id;
    return {.outcome = is_same ? PublishOutcome::identical : PublishOutcome::different,
            .present = std::move(present)};
}

void WalEntries::make_durable(const std::string& key, const Entry& entry) const {
    // The name is taken, so this stores nothing; its contract is that what is there is durable.
    if (objects_.put_record({.kind = ObjectKind::entry, .key = key}, encode_entry(entry)) ==
        ObjectStorage::PutOutcome::created)
        fail_gone(key);
}

}  // namespace walden::vault
