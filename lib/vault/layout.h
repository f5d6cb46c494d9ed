// Where things are in the store (FORMAT.md, section 1). Of PostgreSQL's names the vault only uses
// that their first 8 and next 8 characters make good directories.
#pragma once

#include "base/bytes.h"
#include "crypto/content_id.h"
#include "crypto/key_slot.h"
#include "vault/backup_id.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace walden::vault {

inline constexpr std::string_view descriptor_key = "walden.repository";
inline constexpr std::string_view key_slot_prefix = "keys/";
inline constexpr std::string_view clusters_prefix = "clusters/";
/// What `walden check` writes, and may not be allowed to take away again.
inline constexpr std::string_view check_prefix = "checks/";

/// Further copies of a content whose object is damaged (FORMAT.md, section 6).
inline constexpr std::uint32_t content_copy_max = 9;

/// Whether `name` may name a cluster: 1 to 63 of [A-Za-z0-9_-].
[[nodiscard]] bool is_cluster_name(std::string_view name);

/// Whether the key is of the form clusters/<name>/<digits>/..., so that it is some cluster's.
[[nodiscard]] bool is_in_a_cluster(std::string_view key);

[[nodiscard]] std::string key_slot_key(const crypto::SlotId& id, std::uint32_t generation);

struct KeySlotName {
    crypto::SlotId id{};
    std::uint32_t generation = 0;
};

/// The inverse of key_slot_key; nullopt for any other key.
[[nodiscard]] std::optional<KeySlotName> parse_key_slot_key(std::string_view key);

/// The keys of one cluster's objects: "clusters/main/7301.../" and what follows.
class ClusterLayout {
public:
    ClusterLayout(std::string_view cluster, std::uint64_t system_identifier);

    [[nodiscard]] const std::string& prefix() const { return prefix_; }

    [[nodiscard]] std::string identity_key() const { return prefix_ + "identity"; }

    /// `timeline`: 8 hex digits.
    [[nodiscard]] std::string claim_key(std::string_view timeline, std::uint32_t generation) const;

    [[nodiscard]] std::string claims_prefix() const { return prefix_ + "claims/"; }

    /// `segment`: 24 characters.
    [[nodiscard]] std::string segment_key(std::string_view segment) const;

    [[nodiscard]] std::string wal_prefix() const { return prefix_ + "wal/"; }

    [[nodiscard]] std::string timeline_prefix(std::string_view timeline) const {
        return wal_prefix() + std::string(timeline) + "/";
    }

    [[nodiscard]] std::string content_prefix() const { return prefix_ + "content/"; }

    /// Of any file: "<first 8>/<next 8>/<file name>.<id>"; the second level is "other" where the
    /// name is too short for one.
    [[nodiscard]] std::string content_key(std::string_view file_name,
                                          const crypto::ContentId& id) const;

    /// The `copy`-th further copy of a content, 1 to content_copy_max; 0 is `content_key` itself.
    [[nodiscard]] static std::string content_copy_key(std::string_view content_key,
                                                      std::uint32_t copy);

    /// The content_key of which `key` is a further copy; nullopt for any other key.
    [[nodiscard]] static std::optional<std::string> content_of_copy(std::string_view key);

    [[nodiscard]] std::string history_prefix() const { return prefix_ + "history/"; }

    [[nodiscard]] std::string history_key(std::string_view file_name) const {
        return history_prefix() + std::string(file_name);
    }

    [[nodiscard]] std::string label_prefix() const { return prefix_ + "labels/"; }

    [[nodiscard]] std::string label_key(std::string_view file_name) const {
        return label_prefix() + std::string(file_name);
    }

    /// Every stored variant of a .partial file starts with this; its content id follows.
    [[nodiscard]] std::string partial_prefix(std::string_view file_name) const {
        return label_key(file_name) + ".";
    }

    [[nodiscard]] std::string partial_key(std::string_view file_name,
                                          const crypto::ContentId& id) const {
        return partial_prefix(file_name) + to_string(id);
    }

    [[nodiscard]] std::string conflict_prefix() const { return prefix_ + "conflicts/"; }

    [[nodiscard]] std::string conflict_key(std::string_view file_name,
                                           const crypto::ContentId& id) const {
        return conflict_prefix() + std::string(file_name) + "." + to_string(id);
    }

    [[nodiscard]] std::string damaged_prefix() const { return prefix_ + "damaged/"; }

    /// Where the entry of a segment that was damaged at its source is kept a second time, so that a
    /// listing shows it.
    [[nodiscard]] std::string damaged_key(std::string_view file_name,
                                          const crypto::ContentId& id) const {
        return damaged_prefix() + std::string(file_name) + "." + to_string(id);
    }

    [[nodiscard]] std::string backups_prefix() const { return prefix_ + "backups/"; }

    /// Everything of one base backup.
    [[nodiscard]] std::string backup_prefix(const BackupId& id) const {
        return backups_prefix() + to_string(id) + "/";
    }

    [[nodiscard]] std::string intent_key(const BackupId& id) const {
        return backup_prefix(id) + "intent";
    }

    [[nodiscard]] std::string outcome_key(const BackupId& id) const {
        return backup_prefix(id) + "outcome";
    }

    [[nodiscard]] std::string tomb_key(const BackupId& id) const {
        return backup_prefix(id) + "tomb";
    }

    [[nodiscard]] std::string maps_prefix(const BackupId& id) const {
        return backup_prefix(id) + "maps/";
    }

    [[nodiscard]] std::string packs_prefix(const BackupId& id) const {
        return backup_prefix(id) + "packs/";
    }

    /// Maps and packs are counted from 1, to backup_object_max.
    [[nodiscard]] std::string map_key(const BackupId& id, std::uint32_t number) const;
    [[nodiscard]] std::string pack_key(const BackupId& id, std::uint32_t number) const;

private:
    std::string prefix_;
};

/// Eight decimal digits.
inline constexpr std::uint32_t backup_object_max = 99'999'999;

}  // namespace walden::vault
