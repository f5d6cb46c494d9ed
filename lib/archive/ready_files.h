// What PostgreSQL wants archived: pg_wal/archive_status/*.ready, in the order in which it asks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace walden::archive {

/// The names of all files that are ready: histories first, then everything in ascending order
/// (ready_file_comparator, src/backend/postmaster/pgarch.c). Only names that PostgreSQL archives.
/// Throws Error(io) if the directory cannot be read.
[[nodiscard]] std::vector<std::string> list_ready_files(const std::string& wal_directory);

/// Whether `a` is asked for before `b`.
[[nodiscard]] bool is_asked_before(const std::string& a, const std::string& b);

struct Backlog {
    std::uint64_t count = 0;
    std::uint64_t oldest_age = 0;  ///< seconds since the oldest .ready file was made
    std::string oldest;            ///< the name of that file, empty if there is none
};

/// Of the files in `ready`; those that are gone meanwhile do not count.
[[nodiscard]] Backlog measure_backlog(const std::string& wal_directory,
                                      const std::vector<std::string>& ready);

}  // namespace walden::archive
