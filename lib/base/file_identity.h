// Which file a path means, and which state of it. A name alone tells nothing: files are renamed,
// directories mounted over and exchanged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

struct stat;

namespace walden {

/// A file or directory: nothing else on this host has the same two numbers while it exists. The
/// file system may give an inode to another file afterwards.
struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;

    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

/// A state of a file: each write changes it, as far as the clock of the file system can tell.
struct FileStamp {
    std::uint64_t size = 0;             ///< bytes
    std::int64_t modified_seconds = 0;  ///< with the nanoseconds: mtime
    std::int64_t modified_nanoseconds = 0;

    friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

/// One file in one state.
struct FileVersion {
    FileIdentity file;
    FileStamp stamp;

    friend bool operator==(const FileVersion&, const FileVersion&) = default;
};

[[nodiscard]] FileIdentity identity_of(const struct stat& status);
[[nodiscard]] FileStamp stamp_of(const struct stat& status);

/// Of the directory at `path`, behind symbolic links. nullopt if there is none, or it is none.
[[nodiscard]] std::optional<FileIdentity> find_directory(const std::string& path);

/// Of the ordinary file at `path`, behind symbolic links, not read. nullopt if there is none, or
/// it is none.
[[nodiscard]] std::optional<FileVersion> find_file(const std::string& path);

}  // namespace walden
