// How a file gets into the store: whoever archives one takes these steps, in this order.
//
//   find      what the archive has under the file's name
//   accept    if that is the same content: make sure that it is durable and whole
//   put       else: its contents, which nobody sees yet
//   publish   then its entry, which makes it visible
//
// Where the name holds other content, ours is kept beside it and the step fails.
#pragma once

#include "archive/archive_settings.h"
#include "archive/prepared_file.h"
#include "vault/cluster_vault.h"
#include "vault/entry.h"

#include <optional>

namespace walden::archive {

/// "instance 0123... on host db1#4f2c81aa"
[[nodiscard]] std::string describe_writer(const vault::Entry& entry);

/// Safe from several threads. All functions throw what the storage throws.
class Publisher {
public:
    /// All of them must outlive the object.
    Publisher(const vault::ClusterVault& vault, const vault::InstanceId& instance,
              const ArchiveSettings& settings)
        : vault_(vault), instance_(instance), settings_(settings) {}

    /// nullopt if the name is free.
    [[nodiscard]] std::optional<vault::StoredEntry> find(const StorableFile& file) const {
        return vault_.entries().find(file.entry_key);
    }

    /// Throws Error(conflict) if `present`, which the file's name holds, has other content. Ours is
    /// kept under conflicts/.
    void require_same(StorableFile& file, const vault::Entry& present) const;

    /// The result for a file whose name holds the same content: makes sure that it is durable, and
    /// puts its contents again where they are missing or damaged.
    [[nodiscard]] ArchiveResult accept(const StorableFile& file, const vault::Entry& present) const;

    /// Puts the contents: as they were encoded, or else encodes the bytes as the settings say.
    void put(StorableFile& file) const;

    /// Publishes the entry of a file whose contents were put, and returns the result. A name that
    /// is taken meanwhile by the same content makes it `already_stored`; by other content, the call
    /// throws as require_same() does.
    [[nodiscard]] ArchiveResult publish(StorableFile& file) const;

private:
    void put_contents(const StorableFile& file, vault::Entry& entry) const;
    void mark_damage(const StorableFile& file) const;
    [[noreturn]] void keep_conflict(StorableFile& file, const vault::Entry& present) const;

    const vault::ClusterVault& vault_;
    const vault::InstanceId& instance_;
    const ArchiveSettings& settings_;
};

}  // namespace walden::archive
