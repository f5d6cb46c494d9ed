// Brings one archived file back: the work behind walden-fetch and the prefetcher.
#pragma once

#include "recovery/fetch_policy.h"
#include "vault/cluster_vault.h"
#include "wal/file_name.h"
#include "wal/stored_facts.h"
#include "wal/timeline_history.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace walden::recovery {

struct FetchSettings {
    std::uint64_t system_identifier = 0;
    wal::SegmentSize segment_size;
    DamagedWalPolicy on_damaged_wal = DamagedWalPolicy::refuse;
    /// How long a missing segment is waited for when a later one of its timeline is there. An agent
    /// publishes a few neighbours at a time, so the later one may be the first to be seen; and what
    /// is called a hole shuts a standby down. One that was written long ago is not waited for.
    std::chrono::milliseconds hole_patience{0};
};

/// The proven bytes of an archived file.
struct FetchedFile {
    vault::Entry entry;
    Bytes bytes;
};

/// A pure function of the store: the answer to a name never depends on what was asked before
/// (invariant 18). Safe to call from several threads.
class Fetcher {
public:
    /// `vault` must outlive the object, and its repository's descriptor must have been read in this
    /// run: that makes "not there" believable (invariant 16).
    Fetcher(const vault::ClusterVault& vault, FetchSettings settings)
        : vault_(vault), settings_(settings) {}

    /// The file's bytes, decoded, equal in content id to what was archived, and for a segment with
    /// the right cluster, timeline, position and size in its first page. nullopt if the store
    /// positively has no such file and nothing says that it should. Throws
    ///   Error(usage)    not a name that PostgreSQL asks for
    ///   Error(corrupt)  damaged in the store or at its source; or missing where later WAL of the
    ///                   same timeline is there, which is a hole and not the end of WAL
    ///   Error(missing)  a hole, too: the history of another timeline says that this one was left
    ///                   behind the segment. A server that died may not have archived it, and a
    ///                   standby may still get it by streaming
    ///   Error(foreign)  of another cluster or repository
    /// and what the storage throws.
    [[nodiscard]] std::optional<FetchedFile> fetch(const std::string& file_name) const;

    /// fetch() in two steps, for those who want to know how large a file is before they read it.
    /// As fetch(), up to the reading.
    [[nodiscard]] std::optional<vault::Entry> locate(const std::string& file_name) const;

    /// nullopt only says that there is no entry now: it is no answer to a server, as nothing is
    /// judged (a hole? not yet published?). For working ahead.
    [[nodiscard]] std::optional<vault::Entry> find_entry(const std::string& file_name) const;

    /// Shows the file of an entry that was found for the same name, as
    /// vault::Contents::show() does: what was seen is proven when this returns. The history
    /// that the file is, if it is one.
    std::optional<wal::TimelineHistory> show(const std::string& file_name,
                                             const vault::Entry& entry,
                                             const codec::DecodeObserver& observe) const;

    [[nodiscard]] wal::SegmentSize segment_size() const { return settings_.segment_size; }

private:
    [[nodiscard]] std::optional<vault::StoredEntry> find(const wal::WalFileName& name,
                                                         const std::string& file_name) const;
    [[nodiscard]] std::optional<vault::StoredEntry> find_partial(
        const std::string& file_name) const;
    [[nodiscard]] bool was_written_recently(const std::string& key) const;
    [[nodiscard]] std::optional<vault::StoredEntry> await_neighbour(
        const wal::WalFileName& name, const std::string& file_name) const;
    void require_absence_is_plausible(const wal::WalFileName& name,
                                      const std::string& file_name) const;
    void require_no_later_switch(const wal::WalFileName& name, const std::string& file_name) const;
    void require_sound(const wal::WalFileName& name, const vault::Entry& entry,
                       ByteView first_page) const;

    const vault::ClusterVault& vault_;
    FetchSettings settings_;
};

}  // namespace walden::recovery
