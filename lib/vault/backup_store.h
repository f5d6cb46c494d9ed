// The base backups of one cluster in the store: their records and maps, each under its name.
#pragma once

#include "base/guarded.h"
#include "vault/backup_map.h"
#include "vault/backup_record.h"
#include "vault/layout.h"
#include "vault/sealed_objects.h"

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace walden::vault {

/// All functions are safe to call from several threads and throw as SealedObjects does, plus what
/// the decoders of records and maps throw, with the object's key in the message.
class BackupStore {
public:
    /// `objects` must outlive the object.
    BackupStore(const SealedObjects& objects, ClusterLayout layout)
        : objects_(objects), layout_(std::move(layout)) {}

    [[nodiscard]] const ClusterLayout& layout() const { return layout_; }

    [[nodiscard]] const ClusterKeyring& keys() const { return objects_.keys(); }

    [[nodiscard]] ObjectStorage& storage() const { return objects_.storage(); }

    /// Each is created once: false if the record is there already, which may be what an earlier
    /// attempt of the caller has made of the same record.
    [[nodiscard]] bool put_intent(const BackupIntent& intent) const;
    [[nodiscard]] bool put_outcome(const BackupOutcome& outcome) const;
    [[nodiscard]] bool put_tomb(const BackupTomb& tomb) const;

    /// nullopt if the store positively has no such record.
    [[nodiscard]] std::optional<BackupIntent> find_intent(const BackupId& id) const;
    [[nodiscard]] std::optional<BackupOutcome> find_outcome(const BackupId& id) const;
    [[nodiscard]] std::optional<BackupTomb> find_tomb(const BackupId& id) const;

    /// Ends a backup by COMMIT or ABORT, and returns the outcome that is in the store: another one
    /// if somebody was first.
    [[nodiscard]] BackupOutcome settle(const BackupOutcome& outcome) const;

    /// The ids of all that has any object below backups/, ascending. One request for each backup.
    [[nodiscard]] std::vector<BackupId> list() const;

    /// The numbers of a backup's maps, or packs, that are in the store, ascending.
    [[nodiscard]] std::vector<std::uint32_t> list_maps(const BackupId& id) const {
        return list_numbers(layout_.maps_prefix(id));
    }

    [[nodiscard]] std::vector<std::uint32_t> list_packs(const BackupId& id) const {
        return list_numbers(layout_.packs_prefix(id));
    }

    struct SealedMap {
        std::string key;
        Bytes object;
        MapDigest digest;
    };

    /// Makes the object of a map, for the caller to put.
    [[nodiscard]] SealedMap seal_map(const BackupId& id, std::uint32_t number,
                                     ByteView plain) const;

    /// The plain bytes of a map. Throws Error(missing) if it is not there.
    [[nodiscard]] Bytes read_map(const BackupId& id, std::uint32_t number) const;

    /// As above; Error(corrupt) if they are not the bytes of that digest.
    [[nodiscard]] Bytes read_map(const MapRef& map) const;

    /// A map as an outcome names it.
    [[nodiscard]] Bytes read_map(const BackupId& id, const MapDigest& digest) const {
        return read_map({.backup = id, .number = digest.number, .sha256 = digest.sha256});
    }

private:
    [[nodiscard]] std::vector<std::uint32_t> list_numbers(const std::string& prefix) const;
    template <class Record>
    [[nodiscard]] std::optional<Record> find(const std::string& key, const BackupId& id,
                                             Record (*decode)(ByteView)) const;
    [[nodiscard]] bool put(const std::string& key, ByteView plain) const;

    const SealedObjects& objects_;
    ClusterLayout layout_;
};

/// Reads the index of a backup, part by part. One thread at a time.
class BackupIndexReader {
public:
    /// `store` must outlive the reader. `parts` come in their order.
    BackupIndexReader(const BackupStore& store, const BackupId& id, std::vector<MapDigest> parts,
                      std::uint32_t page_size)
        : store_(store), id_(id), parts_(std::move(parts)), page_size_(page_size) {}

    /// The next entry in the order of paths, nullopt at the end. Throws what read_map() and
    /// IndexPartReader throw.
    [[nodiscard]] std::optional<IndexEntry> next();

private:
    const BackupStore& store_;
    BackupId id_;
    std::vector<MapDigest> parts_;
    std::uint32_t page_size_;
    std::size_t next_part_ = 0;
    std::optional<IndexPartReader> part_;
    std::string last_path_;
};

/// Reads sections, and keeps the maps that they were in last: sections that follow one another lie
/// mostly in one map. Safe from several threads.
class SectionReader {
public:
    /// `store` must outlive the reader. Keeps up to `map_count` maps of map_size_max bytes.
    SectionReader(const BackupStore& store, std::size_t map_count)
        : store_(store), map_count_(map_count) {}

    /// Throws what read_map() and decode_section() throw.
    [[nodiscard]] Section read(const SectionRef& section, const SectionShape& shape);

private:
    struct Kept {
        MapRef map;
        std::shared_ptr<const Bytes> plain;
    };

    [[nodiscard]] std::shared_ptr<const Bytes> find(const MapRef& map);

    const BackupStore& store_;
    std::size_t map_count_;
    Guarded<std::list<Kept>> kept_;  ///< the last used one first
};

[[nodiscard]] MapDigest digest_of_map(std::uint32_t number, ByteView plain);

/// What tags the pages of a cluster's backups.
[[nodiscard]] crypto::PageTagger make_page_tagger(const ClusterKeyring& keys);

}  // namespace walden::vault
