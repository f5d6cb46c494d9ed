#include "restore/target_directory.h"

#include "base/error.h"
#include "base/format.h"
#include "pg/control_file.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <system_error>

namespace walden::restore {

namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
    struct stat status {};

    return ::lstat(path.c_str(), &status) == 0;
}

bool is_absent_or_empty(const std::string& path) {
    std::error_code failure;
    if (!exists(path)) return true;
    const bool is_empty = fs::is_directory(path, failure) && fs::is_empty(path, failure);
    if (failure)
        throw system_error(ErrorKind::io, format("look into \"{}\"", path), failure.value());
    return is_empty;
}

/// The first line of postmaster.pid is the server's process; a crash leaves the file behind.
void require_not_running(const std::string& directory) {
    const auto text = read_file(directory + "/postmaster.pid", 4096);
    if (!text) return;
    const std::string_view line = as_text(*text);
    int pid = 0;
    std::from_chars(line.data(), line.data() + line.size(), pid);
    if (pid > 1 && (::kill(pid, 0) == 0 || errno == EPERM))
        throw Error(ErrorKind::usage,
                    format("a server is running in \"{}\" as process {}", directory, pid))
            .with_hint("Stop it, or restore to another directory.");
}

void require_same_cluster(const std::string& directory, std::uint64_t system_identifier) {
    const auto control = pg::read_control_file(directory);
    if (!control || !exists(directory + "/PG_VERSION"))
        throw Error(ErrorKind::usage,
                    format("\"{}\" is not empty, and no data directory of PostgreSQL", directory))
            .with_hint("Name a directory that is empty, or does not exist.");
    if (control->system_identifier != system_identifier)
        throw Error(ErrorKind::foreign,
                    format("\"{}\" is of cluster {}, the backup of cluster {}", directory,
                           control->system_identifier, system_identifier))
            .with_hint("Name a directory that is empty, or does not exist.");
}

}  // namespace

DirectoryState examine_directory(const std::string& path, std::uint64_t system_identifier,
                                 OverwriteCluster overwrite) {
    if (is_absent_or_empty(path)) return DirectoryState::fresh;
    require_not_running(path);
    if (exists(format("{}/{}", path, restore_marker))) return DirectoryState::unfinished;
    if (overwrite == OverwriteCluster::no)
        throw Error(ErrorKind::usage, format("\"{}\" is not an empty directory", path))
            .with_hint(
                "Name a directory that is empty, or does not exist. --delta writes over a "
                "stopped server of the same cluster.");
    require_same_cluster(path, system_identifier);
    return DirectoryState::cluster;
}

void require_empty_place(const std::string& path) {
    if (is_absent_or_empty(path)) return;
    throw Error(ErrorKind::usage,
                format("the place of a tablespace, \"{}\", is not an empty directory", path))
        .with_hint("--tablespace OLD=NEW restores it elsewhere.");
}

void require_space(const std::string& path, std::uint64_t bytes) {
    struct statvfs status {};

    if (::statvfs(path.c_str(), &status) != 0)
        throw system_error(ErrorKind::io, format("look at the file system of \"{}\"", path), errno);
    const std::uint64_t free = std::uint64_t{status.f_bavail} * status.f_frsize;
    if (free >= bytes) return;
    throw Error(ErrorKind::io,
                format("the file system of \"{}\" has {} MiB free, and {} MiB are needed", path,
                       free >> 20, bytes >> 20))
        .with_hint("Replaying WAL needs more on top.");
}

std::string move_wal_aside(const std::string& directory, const vault::BackupId& id) {
    const std::string wal = directory + "/pg_wal";

    struct stat status {};

    if (::lstat(wal.c_str(), &status) != 0) return "";
    if (S_ISLNK(status.st_mode))
        throw Error(ErrorKind::usage, format("\"{}\" is a link", wal))
            .with_hint("Move what it leads to aside: it may hold WAL that nobody archived.");
    if (is_absent_or_empty(wal)) return "";
    const std::string aside = format("{}.before-{}", wal, id.text());
    if (exists(aside)) return "";  // a restore that was interrupted here has moved it
    if (std::rename(wal.c_str(), aside.c_str()) != 0)
        throw system_error(ErrorKind::io, format("move \"{}\" aside", wal), errno);
    return aside;
}

}  // namespace walden::restore
