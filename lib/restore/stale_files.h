// Files of a data directory that a backup does not have.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace walden::restore {

/// Remembers the paths of a backup in 8 bytes each.
class KnownPaths {
public:
    void add(std::string_view path);

    /// Removes the files of relations and of transaction logs that are not among the paths: where
    /// only PostgreSQL has files, and only those whose names are its own. Returns how many. Throws
    /// Error(io | denied | usage).
    std::uint64_t remove_others(const std::string& directory, const std::string& version_directory);

private:
    std::vector<std::uint64_t> hashes_;
};

}  // namespace walden::restore
