// The entries of a cluster's WAL files: the small objects that give content a name. Whoever creates
// an entry first has the name.
#pragma once

#include "vault/entry.h"
#include "vault/sealed_objects.h"

#include <cstdint>
#include <optional>
#include <string>

namespace walden::vault {

/// An entry as the store has it.
struct StoredEntry {
    Entry entry;
    std::uint64_t size = 0;  ///< of the entry's own object, bytes
};

enum class PublishOutcome : std::uint8_t {
    created,    ///< the entry is ours and durable
    identical,  ///< the name holds the same content already, and is durable
    different,  ///< the name holds other content, which is untouched
};

/// What became of an entry that was to be published.
struct Published {
    PublishOutcome outcome = PublishOutcome::created;
    std::optional<StoredEntry> present;  ///< the entry that was there first; nullopt if created
};

/// All functions are safe to call from several threads and throw as SealedObjects does, plus what
/// decode_entry throws. The keys are ClusterLayout's.
class WalEntries {
public:
    /// `objects` must outlive it.
    explicit WalEntries(const SealedObjects& objects) : objects_(objects) {}

    /// nullopt if the store positively has no such entry.
    [[nodiscard]] std::optional<StoredEntry> find(const std::string& key) const;

    /// Creates the entry, whose contents were put before. After an unknown outcome or a taken
    /// name it reads what is there and compares the content id. Error(unavailable) if the name was
    /// taken and holds nothing any more.
    Published publish(const std::string& key, const Entry& entry) const;

    /// Makes sure that an entry found in the store is durable, name included: another writer may
    /// have died just before its last sync. Error(unavailable) if it is gone.
    void make_durable(const std::string& key, const Entry& entry) const;

private:
    const SealedObjects& objects_;
};

}  // namespace walden::vault
