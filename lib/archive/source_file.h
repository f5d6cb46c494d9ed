// What is to be archived: a file of pg_wal, or bytes that came another way. A file is read once,
// and refused if it changes meanwhile.
#pragma once

#include "base/bytes.h"
#include "base/file_identity.h"

#include <memory>
#include <optional>
#include <string>

namespace walden::archive {

/// Histories and labels are a few hundred bytes; this only stops a mistake.
inline constexpr std::size_t text_file_size_max = 16 << 20;

/// Where the bytes of one file are.
struct FileSource {
    std::string name;       ///< as in pg_wal
    std::string directory;  ///< a pg_wal: there it lies, or at least the histories before it
    /// Null: the file is read. Shared with whoever received them, and not copied: they may be
    /// needed a second time.
    std::shared_ptr<const Bytes> bytes{};

    [[nodiscard]] std::string path() const { return directory + "/" + name; }
};

/// The file at `path`, whose last component is its name.
[[nodiscard]] FileSource source_at(const std::string& path);

/// Bytes as they were read, and of which file if they come from one.
struct SourceBytes {
    std::shared_ptr<const Bytes> bytes;
    std::optional<FileVersion> version;
};

/// Reads the file, or hands on the bytes. Throws as read_source_file().
[[nodiscard]] SourceBytes read_source(const FileSource& source, std::size_t size_max);

/// How many bytes the source has, without reading it; 0 if there is no such file.
[[nodiscard]] std::size_t source_size(const FileSource& source);

/// Opens, reads and closes `path`, which must be an ordinary file of at most `size_max` bytes that
/// keeps size and modification time while it is read (faults 10 to 12). Throws Error(io) naming
/// the file otherwise; never returns a part.
[[nodiscard]] Bytes read_source_file(const std::string& path, std::size_t size_max);

}  // namespace walden::archive
