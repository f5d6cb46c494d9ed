// Archives one file of pg_wal: the work behind walden-push and the agent.
#pragma once

#include "archive/archive_settings.h"
#include "archive/local_state.h"
#include "archive/membership.h"
#include "archive/prepared_file.h"
#include "vault/cluster_vault.h"

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
          membership_(vault, state, preparer_.settings().instance) {}

    Archiver(const Archiver&) = delete;
    Archiver& operator=(const Archiver&) = delete;

    /// Archives the file at `path`; its last component is its name. When this returns, the file
    /// can be restored from the store alone. Throws
    ///   Error(usage)     the name is none that PostgreSQL archives
    ///   Error(foreign)   another cluster's, version's or segment size's file
    ///   Error(corrupt)   not WAL, or damaged and the policy is to refuse; a codec that fails
    ///                    its check
    ///   Error(conflict)  the name holds other content (ours is kept under conflicts/), or the
    ///                    timeline belongs to another instance
    ///   Error(io)        the file could not be read, or changed meanwhile
    /// and what the storage throws. Nothing that was archived before is ever changed.
    ArchiveResult archive(const std::string& path);

    /// The rest of archive() for a file that was read and whose content id is set, to begin with
    /// the question whether it is there.
    ArchiveResult finish(PreparedFile& file);

    /// Stores a segment of a timeline that this server has left, whose content id and predecessor
    /// are set and whose place in the line of descent the caller has proven (line_backfill.h): no
    /// claim is asked for, and the local state is left alone. Throws as archive() does.
    ArchiveResult fill(PreparedFile& file) const;

    /// For whoever stores the bytes himself, like the pipeline. Puts an entry under conflicts/ for
    /// a file whose name holds `present`, its contents too unless `file.entry` has them already,
    /// and throws Error(conflict) that names both.
    [[noreturn]] void keep_conflict(PreparedFile& file, const vault::Entry& present) const;

    /// Makes sure that a listing will show a segment that is damaged at its source; before its
    /// entry is published, so that no crash leaves one that nobody knows of. Does nothing for
    /// others.
    void mark_damage(const PreparedFile& file) const;

    /// Notes in the local state what was archived last. A warning if that could not be written.
    [[nodiscard]] std::optional<std::string> remember(const LastArchived& last);

    /// What this archiver prepares files with; safe from several threads.
    [[nodiscard]] const FilePreparer& preparer() const { return preparer_; }

private:
    [[nodiscard]] std::optional<vault::Predecessor> find_predecessor(const PreparedFile& file,
                                                                     ArchiveResult& result) const;
    ArchiveResult settle(PreparedFile& file, const std::optional<vault::StoredEntry>& present);
    void put_contents(const PreparedFile& file, vault::Entry& entry) const;
    void settle_identical(const PreparedFile& file, const vault::Entry& present) const;
    void store(PreparedFile& file, ArchiveResult& result) const;
    [[nodiscard]] std::optional<std::string> save_state() const;

    const vault::ClusterVault& vault_;
    LocalState& state_;
    FilePreparer preparer_;
    Membership membership_;
};

}  // namespace walden::archive
