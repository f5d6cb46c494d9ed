// The file that PostgreSQL wants archived: read once, and refused if it changes meanwhile.
#pragma once

#include "base/bytes.h"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace walden::archive {

/// Which file it was, and which state of it. PostgreSQL renames old segments to new names, so a
/// name alone tells nothing; what it wants archived it does not change any more.
struct SourceIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;             ///< bytes
    std::int64_t modified_seconds = 0;  ///< with the nanoseconds: mtime
    std::int64_t modified_nanoseconds = 0;

    friend bool operator==(const SourceIdentity&, const SourceIdentity&) = default;
};

/// Of the file at `path`, not read; nullopt if there is none, or not an ordinary one.
[[nodiscard]] std::optional<SourceIdentity> find_source_file(const std::string& path);

/// Opens, reads and closes `path`, which must be an ordinary file of at most `size_max` bytes that
/// keeps size and modification time while it is read (faults 10 to 12). Throws Error(io) naming
/// the file otherwise; never returns a part.
[[nodiscard]] Bytes read_source_file(const std::string& path, std::size_t size_max);

/// As above, replacing the content of `out`, whose memory is used again. Returns what was read.
SourceIdentity read_source_file(const std::string& path, std::size_t size_max, Bytes& out);

}  // namespace walden::archive
