// Archives one file of pg_wal: the work behind walden-push and the agent.
#pragma once

#include "archive/archive_settings.h"
#include "archive/local_state.h"
#include "archive/membership.h"
#include "archive/prepared_file.h"
#include "archive/publisher.h"
#include "vault/cluster_vault.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace walden::archive {

/// One thread at a time; several Archivers, also of other processes, may work on one cluster.
class Archiver {
public:
    /// Both must outlive the object.
    Archiver(const vault::ClusterVault& vault, LocalState& state, ArchiveSettings settings)
        : vault_(vault),
          state_(state),
          preparer_(vault.layout(), state.instance(), std::move(settings)),
          publisher_(vault, state.instance(), preparer_.settings()),
          membership_(vault, state, preparer_.settings().instance) {}

    Archiver(const Archiver&) = delete;
    Archiver& operator=(const Archiver&) = delete;

    /// Archives the file. When this returns, it can be restored from the store alone. Throws
    ///   Error(usage)     the name is none that PostgreSQL archives
    ///   Error(foreign)   another cluster's, version's or segment size's file
    ///   Error(corrupt)   not WAL, or damaged and the policy is to refuse; a codec that fails
    ///                    its check
    ///   Error(conflict)  the name holds other content (ours is kept under conflicts/), or the
    ///                    timeline belongs to another instance
    ///   Error(io)        the file could not be read, or changed meanwhile
    /// and what the storage throws. Nothing that was archived before is ever changed.
    ArchiveResult archive(const FileSource& source);

    /// The rest of archive() for a file whose content is named, to begin with the question whether
    /// it is there.
    ArchiveResult finish(StorableFile& file) { return settle(file, publisher_.find(file)); }

    /// Stores a segment of a timeline that this server has left, whose predecessor is set and whose
    /// place in the line of descent the caller has proven (line_backfill.h): no claim is asked for,
    /// and the local state is left alone. Throws as archive() does.
    ArchiveResult fill(StorableFile& file) const;

    /// Notes in the local state what was archived last, and writes it unless others `follow` at
    /// once. A warning if that could not be written.
    enum class Follows : std::uint8_t { nothing, others };
    [[nodiscard]] std::optional<std::string> remember(const LastArchived& last, Follows follows);

    /// What this archiver prepares and publishes files with; safe from several threads.
    [[nodiscard]] const FilePreparer& preparer() const { return preparer_; }

    [[nodiscard]] const Publisher& publisher() const { return publisher_; }

private:
    [[nodiscard]] std::optional<vault::Predecessor> find_predecessor(StorableFile& file) const;
    void warn_of_jump(StorableFile& file) const;
    ArchiveResult settle(StorableFile& file, const std::optional<vault::StoredEntry>& present);
    [[nodiscard]] std::optional<std::string> save_state();

    const vault::ClusterVault& vault_;
    LocalState& state_;
    FilePreparer preparer_;
    Publisher publisher_;
    Membership membership_;
    std::chrono::steady_clock::time_point saved_at_;  ///< the local state
};

}  // namespace walden::archive
