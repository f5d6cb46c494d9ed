#include "backup/data_scan.h"

#include "base/error.h"
#include "base/format.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <set>

namespace walden::backup {

namespace {

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

/// Directories of which only the name is taken (basebackup.c, excludeDirContents), and pg_wal.
bool is_emptied(const std::string& path) {
    static const std::set<std::string, std::less<>> names = {
        "pg_dynshmem",  "pg_notify",   "pg_replslot", "pg_serial",
        "pg_snapshots", "pg_stat_tmp", "pg_subtrans", "pg_wal"};
    return names.contains(path);
}

bool is_skipped(const std::string& path, const std::string& name) {
    static const std::set<std::string, std::less<>> files = {
        "postmaster.pid",   "postmaster.opts",          "promote",
        "recovery.signal",  "standby.signal",           "backup_label",
        "backup_label.old", "tablespace_map",           "tablespace_map.old",
        "backup_manifest",  "postgresql.auto.conf.tmp", "current_logfiles.tmp",
        "global/pg_control"};
    return files.contains(path) || name.starts_with("pgsql_tmp") ||
           name.starts_with("pg_internal.init");
}

/// "12345.6_vm" and the like: the number of the file in the relation; nullopt for another name.
std::optional<std::uint32_t> relation_file_number(std::string_view name) {
    const std::size_t digits = name.find_first_not_of("0123456789");
    if (digits == 0) return std::nullopt;
    if (digits == std::string_view::npos) return 0;
    name.remove_prefix(digits);
    for (const std::string_view fork : {"_fsm", "_vm", "_init"})
        if (name.starts_with(fork)) {
            name.remove_prefix(fork.size());
            break;
        }
    if (name.empty()) return 0;
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(name.data() + 1, name.data() + name.size(), number);
    if (name[0] != '.' || error != std::errc() || end != name.data() + name.size())
        return std::nullopt;
    return number;
}

}  // namespace

DataScan::DataScan(std::string pgdata, std::uint32_t pages_per_file)
    : pgdata_(std::move(pgdata)), pages_per_file_(pages_per_file) {
    enter("");
}

void DataScan::enter(const std::string& path) {
    Level level{.path = path, .names = {}};
    const std::string full = path.empty() ? pgdata_ : pgdata_ + "/" + path;
    const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(full.c_str()));
    if (directory == nullptr && errno != ENOENT)
        throw system_error(ErrorKind::io, format("open directory \"{}\"", full), errno);
    while (directory != nullptr) {
        const dirent* const entry = ::readdir(directory.get());
        if (entry == nullptr) break;
        const std::string name = entry->d_name;
        if (name != "." && name != "..") level.names.push_back(name);
    }
    std::sort(level.names.rbegin(), level.names.rend());
    levels_.push_back(std::move(level));
}

std::optional<ScannedFile> DataScan::look(const std::string& path, const std::string& name) {
    ScannedFile file;
    file.entry.path = path;
    file.path = pgdata_ + "/" + path;
    struct ::stat status = {};
    if (::lstat(file.path.c_str(), &status) != 0) {
        if (errno == ENOENT) return std::nullopt;
        throw system_error(ErrorKind::io, format("look at \"{}\"", file.path), errno);
    }
    file.entry.mode = status.st_mode & 07777;
    file.entry.modified = status.st_mtim.tv_sec;
    if (S_ISDIR(status.st_mode)) {
        file.entry.type = vault::BackupFileType::directory;
        file.entry.modified = 0;
        return file;
    }
    if (!S_ISREG(status.st_mode)) return std::nullopt;
    file.entry.size = static_cast<std::uint64_t>(status.st_size);
    const bool is_in_database = path.starts_with("base/") || path.starts_with("global/");
    if (const auto number = relation_file_number(name); number && is_in_database) {
        file.entry.is_relation = true;
        file.first_block = *number * pages_per_file_;
    }
    file.is_required = name == "PG_VERSION" || name == "pg_filenode.map";
    return file;
}

std::optional<ScannedFile> DataScan::next() {
    while (!levels_.empty()) {
        if (levels_.back().names.empty()) {
            levels_.pop_back();
            continue;
        }
        const std::string name = std::move(levels_.back().names.back());
        levels_.back().names.pop_back();
        const std::string& parent = levels_.back().path;
        const std::string path = parent.empty() ? name : parent + "/" + name;
        if (is_skipped(path, name)) continue;
        auto file = look(path, name);
        if (!file) continue;
        if (file->entry.type == vault::BackupFileType::directory && !is_emptied(path)) enter(path);
        return file;
    }
    return std::nullopt;
}

}  // namespace walden::backup
