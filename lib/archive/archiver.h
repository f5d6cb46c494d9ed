// Archives one file of pg_wal: the work behind walden-push and, later, the agent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "archive/local_state.h"
#include "archive/membership.h"
#include "codec/codec.h"
#include "vault/cluster_vault.h"
#include "wal/file_name.h"
#include "wal/stored_facts.h"

namespace walden::archive {

enum class DamagedWalPolicy : std::uint8_t {
    archive,  ///< store it as what it is, marked, with a warning
    refuse,
};

struct ArchiveSettings {
    std::uint64_t system_identifier = 0;
    Instance instance;
    codec::EncodeOptions encoding;
    DamagedWalPolicy on_damaged_wal = DamagedWalPolicy::archive;
    std::string version;  ///< of walden
};

enum class ArchiveOutcome : std::uint8_t { stored, already_stored };

struct ArchiveResult {
    ArchiveOutcome outcome = ArchiveOutcome::stored;
    std::uint64_t plain_size = 0;
    std::uint64_t stored_size = 0;
    std::vector<std::string> warnings;  ///< for a person; the file is archived all the same
};

/// One thread at a time; several Archivers, also of other processes, may work on one cluster.
class Archiver {
public:
    /// Both must outlive the object.
    Archiver(const vault::ClusterVault& vault, LocalState& state, ArchiveSettings settings)
        : vault_(vault),
          state_(state),
          settings_(std::move(settings)),
          membership_(vault, state, settings_.instance) {}

    Archiver(const Archiver&) = delete;
    Archiver& operator=(const Archiver&) = delete;

    /// Archives the file at `path`; its last component is its name. When this returns, the file
    /// can be restored from the store alone. Throws
    ///   Error(usage)     the name is none that PostgreSQL archives
    ///   Error(foreign)   another cluster's, version's or segment size's file
    ///   Error(corrupt)   not WAL, or damaged and the policy is to refuse; a codec that fails its check
    ///   Error(conflict)  the name holds other content (ours is kept under conflicts/), or the
    ///                    timeline belongs to another instance
    ///   Error(io)        the file could not be read, or changed meanwhile
    /// and what the storage throws. Nothing that was archived before is ever changed.
    ArchiveResult archive(const std::string& path);

private:
    /// A file on its way into the store.
    struct File {
        wal::WalFileName name;
        std::string directory;
        Bytes bytes;
        vault::Entry entry;
        std::string entry_key;
    };

    [[nodiscard]] File read(const std::string& path) const;
    void examine_segment(File& file, ArchiveResult& result) const;
    void examine_incomplete(File& file, const wal::SegmentReport& report,
                            ArchiveResult& result) const;
    void require_identity(const File& file) const;
    [[nodiscard]] bool was_left_inside(const File& file, wal::Lsn valid_end) const;
    [[nodiscard]] std::optional<vault::Predecessor> find_predecessor(const File& file,
                                                                     ArchiveResult& result) const;
    void settle_identical(const File& file, const vault::Entry& present) const;
    [[noreturn]] void keep_conflict(File& file, const vault::Entry& present) const;
    void store(File& file, ArchiveResult& result);
    void remember(const File& file, ArchiveResult& result);

    const vault::ClusterVault& vault_;
    LocalState& state_;
    ArchiveSettings settings_;
    Membership membership_;
};

}  // namespace walden::archive
