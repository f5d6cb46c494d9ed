#include "restore/stale_files.h"

#include "base/error.h"
#include "base/format.h"
#include "base/hash.h"
#include "pg/data_files.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace walden::restore {

namespace {

/// Directories of numbered files that are nobody's but PostgreSQL's (SLRUs, prepared transactions).
constexpr std::array<std::string_view, 5> numbered_places{
    "pg_xact/", "pg_multixact/members/", "pg_multixact/offsets/", "pg_commit_ts/", "pg_twophase/"};

bool is_hex_name(std::string_view name) {
    return !name.empty() && name.find_first_not_of("0123456789ABCDEF") == std::string_view::npos;
}

bool is_postgres_own(const pg::DataFile& file) {
    if (file.kind != pg::DataFileKind::file) return false;
    if (file.relation) return true;
    const std::string_view path = file.path;
    return std::any_of(numbered_places.begin(), numbered_places.end(), [&](std::string_view place) {
        return path.starts_with(place) && is_hex_name(path.substr(place.size()));
    });
}

}  // namespace

void KnownPaths::add(std::string_view path) {
    hashes_.push_back(xxh3_64(as_bytes(path)));
}

std::uint64_t KnownPaths::remove_others(const std::string& directory,
                                        const std::string& version_directory) {
    std::sort(hashes_.begin(), hashes_.end());
    std::uint64_t count = 0;
    pg::DataFileScan scan(directory, version_directory);
    while (const auto file = scan.next()) {
        if (!is_postgres_own(*file) ||
            std::binary_search(hashes_.begin(), hashes_.end(), xxh3_64(as_bytes(file->path))))
            continue;
        const std::string path = format("{}/{}", directory, file->path);
        if (::unlink(path.c_str()) != 0 && errno != ENOENT)
            throw system_error(ErrorKind::io, format("remove \"{}\"", path), errno);
        ++count;
    }
    return count;
}

}  // namespace walden::restore
