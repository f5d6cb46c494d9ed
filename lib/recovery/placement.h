// The file that PostgreSQL asked for, on its way to the place where it is expected.
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace walden::recovery {

/// Puts bytes at a path by way of a temporary beside it and a rename, so that nobody sees a part,
/// and a symbolic link is replaced rather than followed (fault 48). PostgreSQL syncs what it asked
/// for itself (durable_rename in KeepFileRestoredFromArchive), anybody else's file is synced here.
/// Without a commit() nothing is left behind.
class Placement {
public:
    /// Makes the temporary. Throws Error(io).
    explicit Placement(const std::string& path);

    /// Writes a part, or reserves the place for one of zeros; the parts come in any order. A
    /// failure is told by commit(): who decodes has nothing to do with it. Safe from several
    /// threads.
    void write_at(std::uint64_t offset, ByteView part) noexcept;

    /// Gives the file its name, once all of it is written and proven. Throws Error(io).
    void commit();

private:
    bool is_asked_by_server_;
    std::string path_;
    NewFile file_;
    std::mutex mutex_;
    std::optional<Error> failure_;  ///< the first one
};

}  // namespace walden::recovery
