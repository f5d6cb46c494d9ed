// The first half of archiving a file: everything that needs the file and not the store.
#pragma once

#include "archive/archive_settings.h"
#include "archive/source_file.h"
#include "vault/cluster_vault.h"
#include "vault/entry.h"
#include "vault/layout.h"
#include "wal/file_name.h"
#include "wal/record_reader.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace walden::archive {

/// A file that was read once and is known to be what its name says and of this cluster.
struct PreparedFile {
    wal::WalFileName name;
    std::string directory;               ///< as FileSource's
    std::optional<FileVersion> version;  ///< of the file that was read, if one was
    std::shared_ptr<const Bytes> bytes;  ///< as FileSource's, or read from there
    vault::Entry entry;     ///< kind, name, writer and facts: what its bytes and their place say
    std::string entry_key;  ///< of the name; empty for a partial file, whose key has its content id
    std::vector<std::string> warnings;
    bool is_damaged = false;  ///< its WAL is bad, and the policy is to archive it as it is
};

/// A prepared file whose content is named: what the store is told of.
struct StorableFile {
    /// `file` was examined, and `content_id` computed of its bytes.
    StorableFile(PreparedFile file, const crypto::ContentId& content_id,
                 const vault::ClusterLayout& layout);

    /// Why its contents are not encoded as WAL, where they should be; once they have been put.
    [[nodiscard]] codec::PlainReason plain_reason() const;

    wal::WalFileName name;
    std::string directory;
    std::optional<FileVersion> version;
    std::uint64_t plain_size = 0;
    std::shared_ptr<const Bytes> bytes;                ///< null once nothing needs them any more
    std::optional<vault::EncodedContents> contents{};  ///< where somebody has encoded it already
    vault::Entry entry;     ///< complete but for its predecessor, until its contents are put
    std::string entry_key;  ///< never empty
    std::vector<std::string> warnings;
    bool is_damaged = false;
};

/// Reads and examines files of one cluster. Immutable: safe from several threads.
class FilePreparer {
public:
    FilePreparer(vault::ClusterLayout layout, const vault::InstanceId& instance,
                 ArchiveSettings settings)
        : layout_(std::move(layout)), instance_(instance), settings_(std::move(settings)) {}

    /// Reads and examines. Throws as Archiver::archive does, as far as that needs no store.
    [[nodiscard]] PreparedFile prepare(const FileSource& source) const {
        PreparedFile file = read(source);
        examine(file);
        return file;
    }

    /// The two halves of prepare(): name and bytes, and what the bytes say.
    [[nodiscard]] PreparedFile read(const FileSource& source) const;
    void examine(PreparedFile& file) const;

    /// Of a segment that was read: throws Error(corrupt | foreign) unless its first page says that
    /// it is the one of its name, of this cluster, and its size is right.
    void require_identity(const PreparedFile& file) const;

    [[nodiscard]] const ArchiveSettings& settings() const { return settings_; }

private:
    [[nodiscard]] PreparedFile name_file(const FileSource& source) const;
    void examine_segment(PreparedFile& file) const;
    void examine_incomplete(PreparedFile& file, const wal::SegmentReport& report) const;
    [[nodiscard]] bool was_left_inside(const PreparedFile& file, wal::Lsn valid_end) const;

    vault::ClusterLayout layout_;
    vault::InstanceId instance_;
    ArchiveSettings settings_;
};

}  // namespace walden::archive
