// The first half of archiving a file: everything that needs the file and not the store.
#pragma once

#include "archive/archive_settings.h"
#include "archive/source_file.h"
#include "vault/cluster_vault.h"
#include "vault/entry.h"
#include "vault/layout.h"
#include "wal/file_name.h"
#include "wal/record_reader.h"

#include <optional>
#include <string>
#include <vector>

namespace walden::archive {

/// Histories and labels are a few hundred bytes; this only stops a mistake.
inline constexpr std::size_t text_file_size_max = 16 << 20;

/// A file on its way into the store: read once, known to be what its name says and of this
/// cluster.
struct PreparedFile {
    wal::WalFileName name;
    std::string directory;
    SourceIdentity identity;
    Bytes bytes;
    /// Kind, name, writer and facts; the content id and what follows from it is for the caller.
    vault::Entry entry;
    std::string entry_key;  ///< empty for a partial file, whose key has its content id
    std::optional<vault::EncodedContents> contents;  ///< where somebody has encoded it already
    std::vector<std::string> warnings;

    /// Why its contents are not encoded as WAL, where they should be; once they have been put.
    [[nodiscard]] codec::PlainReason plain_reason() const {
        const bool is_wal =
            entry.kind == vault::FileKind::segment || entry.kind == vault::FileKind::partial;
        return is_wal ? entry.plain_reason() : codec::PlainReason::none;
    }
};

/// Reads and examines files of one cluster. Immutable: safe from several threads.
class FilePreparer {
public:
    FilePreparer(vault::ClusterLayout layout, const vault::InstanceId& instance,
                 ArchiveSettings settings)
        : layout_(std::move(layout)), instance_(instance), settings_(std::move(settings)) {}

    /// The file at `path`; its last component is its name. Its bytes are read into `buffer`, whose
    /// memory is used again. Throws as Archiver::archive does, as far as that needs no store.
    [[nodiscard]] PreparedFile prepare(const std::string& path, Bytes buffer = {}) const {
        PreparedFile file = read(path, std::move(buffer));
        examine(file);
        return file;
    }

    /// The two halves of prepare(): name and bytes, and what the bytes say.
    [[nodiscard]] PreparedFile read(const std::string& path, Bytes buffer = {}) const;
    void examine(PreparedFile& file) const;

    [[nodiscard]] const ArchiveSettings& settings() const { return settings_; }

private:
    [[nodiscard]] PreparedFile name_file(const std::string& path) const;
    void examine_segment(PreparedFile& file) const;
    void examine_incomplete(PreparedFile& file, const wal::SegmentReport& report) const;
    void require_identity(const PreparedFile& file) const;
    [[nodiscard]] bool was_left_inside(const PreparedFile& file, wal::Lsn valid_end) const;

    vault::ClusterLayout layout_;
    vault::InstanceId instance_;
    ArchiveSettings settings_;
};

}  // namespace walden::archive
