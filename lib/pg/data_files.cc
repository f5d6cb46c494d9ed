#include "pg/data_files.h"

#include "base/error.h"
#include "base/format.h"
#include "pg/tablespace_links.h"
#include "wal/number_text.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace walden::pg {

namespace {

/// Directories whose contents are of no use to a restored server, and pg_wal, whose contents are in
/// the archive. The directories themselves must be there (pitfall 30).
constexpr std::array emptied_directories{
    std::string_view("pg_wal"),      std::string_view("pg_replslot"),
    std::string_view("pg_dynshmem"), std::string_view("pg_notify"),
    std::string_view("pg_serial"),   std::string_view("pg_snapshots"),
    std::string_view("pg_stat_tmp"), std::string_view("pg_subtrans")};

/// The others that initdb makes. A link in their place, or below, is not followed.
constexpr std::array server_directories{
    std::string_view("base"),         std::string_view("global"),
    std::string_view("pg_commit_ts"), std::string_view("pg_logical"),
    std::string_view("pg_multixact"), std::string_view("pg_stat"),
    std::string_view("pg_tblspc"),    std::string_view("pg_twophase"),
    std::string_view("pg_xact")};

/// Of the data directory itself. "promote" in a backup would promote each new standby (pitfall 4),
/// an old backup_label would have recovery begin at the wrong place.
constexpr std::array left_out_files{std::string_view("promote"),
                                    std::string_view("recovery.signal"),
                                    std::string_view("standby.signal"),
                                    std::string_view("backup_label"),
                                    std::string_view("backup_label.old"),
                                    std::string_view("tablespace_map"),
                                    std::string_view("tablespace_map.old"),
                                    std::string_view("backup_manifest"),
                                    std::string_view("backup_manifest.tmp"),
                                    std::string_view("current_logfiles"),
                                    std::string_view("current_logfiles.tmp"),
                                    std::string_view("logrotate"),
                                    std::string_view("postgresql.auto.conf.tmp"),
                                    std::string_view("core")};

template <class Names>
bool is_among(const Names& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

/// "core.1234": what a crash left.
bool is_core_file(std::string_view name) {
    return name.starts_with("core.") && wal::parse_number(name.substr(5), 10).has_value();
}

bool is_left_out_anywhere(std::string_view name) {
    // Both with suffixes: pg_internal.init.<pid> while it is written (pitfall 3).
    return name.starts_with("pgsql_tmp") || name.starts_with("pg_internal.init");
}

bool is_left_out_at_top(std::string_view name) {
    return name.starts_with("postmaster.") || is_among(left_out_files, name) || is_core_file(name);
}

std::string_view first_part(std::string_view path) {
    return path.substr(0, path.find('/'));
}

std::size_t depth_of(std::string_view path) {
    if (path.empty()) return 0;
    return 1 + static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

std::string_view last_part(std::string_view path) {
    return path.substr(path.find_last_of('/') + 1);
}

bool is_number(std::string_view name) {
    return wal::parse_number(name, 10).has_value();
}

/// base/<oid> and pg_tblspc/<oid>/PG_*/<oid>
bool is_database_directory(std::string_view path) {
    const std::size_t depth = first_part(path) == "base" ? 2 : 4;
    return depth_of(path) == depth && is_number(last_part(path)) &&
           (depth == 2 || first_part(path) == "pg_tblspc");
}

[[noreturn]] void fail(std::string_view action, const std::string& path, int error_number) {
    const bool is_denied = error_number == EACCES || error_number == EPERM;
    Error error = system_error(is_denied ? ErrorKind::denied : ErrorKind::io,
                               format("{} \"{}\"", action, path), error_number);
    if (!is_denied) throw error;
    throw std::move(error).with_hint(
        "Everything in a data directory belongs to the user that the server runs as. Give the file "
        "to that user, or take it out of the data directory.");
}

std::string join(std::string_view directory, std::string_view name) {
    return directory.empty() ? std::string(name) : format("{}/{}", directory, name);
}

std::string read_link(int directory, const std::string& name, const std::string& path) {
    std::array<char, PATH_MAX> target{};
    const ssize_t size = ::readlinkat(directory, name.c_str(), target.data(), target.size());
    if (size < 0) fail("read link", path, errno);
    return {target.data(), static_cast<std::size_t>(size)};
}

}  // namespace

bool is_tablespace_path(std::string_view path) {
    return depth_of(path) == 2 && first_part(path) == "pg_tblspc" && is_number(last_part(path));
}

bool is_left_out(std::string_view path) {
    const std::string_view name = last_part(path);
    if (depth_of(path) == 1 && is_left_out_at_top(path)) return true;
    if (depth_of(path) > 1 && is_among(emptied_directories, first_part(path))) return true;
    for (std::string_view rest = path; !rest.empty();) {
        const std::string_view part = first_part(rest);
        if (is_left_out_anywhere(part)) return true;
        rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    }
    const auto directory = path.substr(0, path.size() - std::min(path.size(), name.size() + 1));
    return is_database_directory(directory) && is_temporary_relation(name);
}

/// One directory on the way down. Names lie one after the other in `names`; those that end in '/'
/// stand for what is in the directory of that name. So the order of the items is that of the paths:
/// "a" < "a-b" < "a/b".
struct DataFileScan::Level {
    struct Item {
        std::uint32_t offset = 0;
        std::uint32_t size = 0;
    };

    std::string path;
    std::unique_ptr<DIR, int (*)(DIR*)> directory{nullptr, ::closedir};
    bool holds_relations = false;  ///< base/<oid> and the like
    std::string names{};
    std::vector<Item> items{};
    std::size_t position = 0;

    [[nodiscard]] std::string_view name_of(const Item& item) const {
        return std::string_view(names).substr(item.offset, item.size);
    }

    [[nodiscard]] bool is_directory(const dirent& item) const {
        if (item.d_type != DT_UNKNOWN) return item.d_type == DT_DIR;

        struct stat status {};

        return ::fstatat(::dirfd(directory.get()), item.d_name, &status, AT_SYMLINK_NOFOLLOW) ==
                   0 &&
               S_ISDIR(status.st_mode);
    }

    void add(std::string_view name, std::string_view suffix) {
        items.push_back({.offset = static_cast<std::uint32_t>(names.size()),
                         .size = static_cast<std::uint32_t>(name.size() + suffix.size())});
        names.append(name).append(suffix);
    }

    void sort() {
        std::sort(items.begin(), items.end(),
                  [&](const Item& a, const Item& b) { return name_of(a) < name_of(b); });
    }

    [[nodiscard]] bool contains(std::string_view name) const {
        const auto at =
            std::lower_bound(items.begin(), items.end(), name,
                             [&](const Item& a, std::string_view b) { return name_of(a) < b; });
        return at != items.end() && name_of(*at) == name;
    }

    /// Of an unlogged relation only the init fork is taken: the others are made from it at the
    /// start after a recovery (pitfall 21).
    [[nodiscard]] bool is_unlogged(std::string_view name) const {
        const auto file = parse_relation_name(name);
        return file && file->fork != Fork::init && contains(format("{}_init", file->relation));
    }
};

DataFileScan::DataFileScan(std::string pgdata, std::string version_directory)
    : pgdata_(std::move(pgdata)), version_directory_(std::move(version_directory)) {
    require_sane_tablespaces(pgdata_, version_directory_);
    enter("");
}

DataFileScan::DataFileScan(DataFileScan&&) noexcept = default;
DataFileScan& DataFileScan::operator=(DataFileScan&&) noexcept = default;
DataFileScan::~DataFileScan() = default;

void DataFileScan::enter(std::string path) {
    auto level = std::make_unique<Level>();
    level->path = std::move(path);
    level->holds_relations = is_database_directory(level->path);
    const std::string full = level->path.empty() ? pgdata_ : join(pgdata_, level->path);
    level->directory.reset(::opendir(full.c_str()));
    if (!level->directory) {
        const int reason = errno;

        // A database or a directory of logs may be removed, and a tablespace, whose link goes
        // first; what initdb makes may not.
        struct stat link {};

        const bool is_removed =
            depth_of(level->path) > 1 && reason == ENOENT && ::lstat(full.c_str(), &link) != 0;
        if (is_removed) return;
        fail("open directory", full, reason);
    }
    list(*level);
    levels_.push_back(std::move(level));
}

void DataFileScan::list(Level& level) {
    const bool is_top = level.path.empty();
    const bool is_version_list = is_tablespace_path(level.path);
    for (;;) {
        errno = 0;
        const dirent* const item = ::readdir(level.directory.get());
        if (item == nullptr) break;
        const std::string_view name = item->d_name;
        if (name == "." || name == ".." || is_left_out_anywhere(name)) continue;
        if (is_top && is_left_out_at_top(name)) continue;
        if (is_version_list && name != version_directory_) continue;
        if (level.holds_relations && is_temporary_relation(name)) continue;
        level.add(name, "");
        if (is_top && is_among(emptied_directories, name)) continue;
        if (level.is_directory(*item) || (level.path == "pg_tblspc" && is_number(name)))
            level.add(name, "/");
    }
    if (errno != 0) fail("read directory", join(pgdata_, level.path), errno);
    level.sort();
}

std::optional<DataFile> DataFileScan::next() {
    while (!levels_.empty()) {
        Level& level = *levels_.back();
        if (level.position == level.items.size()) {
            levels_.pop_back();
            continue;
        }
        std::string_view name = level.name_of(level.items[level.position++]);
        if (name.ends_with('/')) {
            name.remove_suffix(1);
            enter(join(level.path, name));
            continue;
        }
        if (level.holds_relations && level.is_unlogged(name)) continue;
        if (auto file = look_at(level, name)) return file;
    }
    return std::nullopt;
}

std::optional<DataFile> DataFileScan::look_at(const Level& level, std::string_view name) {
    const int directory = ::dirfd(level.directory.get());
    const std::string text(name);
    DataFile file{.path = join(level.path, name)};

    struct stat status {};

    if (::fstatat(directory, text.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return std::nullopt;
        fail("look at", join(pgdata_, file.path), errno);
    }
    if (level.path.empty() && is_among(emptied_directories, name)) {
        // Often a link (pg_wal on a disk of its own), and one to nowhere where its place does not
        // survive a start of the machine. What is restored is a directory.
        if (S_ISLNK(status.st_mode) && ::fstatat(directory, text.c_str(), &status, 0) != 0)
            status.st_mode = S_IFDIR | S_IRWXU;
    }
    file.mode = status.st_mode & 07777U;
    file.modified = status.st_mtim.tv_sec;
    if (S_ISDIR(status.st_mode)) {
        file.kind = DataFileKind::directory;
    } else if (S_ISREG(status.st_mode)) {
        file.size = static_cast<std::uint64_t>(status.st_size);
        file.relation = parse_relation_path(file.path);
    } else if (S_ISLNK(status.st_mode)) {
        file.target = read_link(directory, text, join(pgdata_, file.path));
        file.kind = is_tablespace_path(file.path) ? DataFileKind::tablespace_link
                                                  : DataFileKind::other_link;
        if (file.kind == DataFileKind::other_link &&
            is_among(server_directories, first_part(file.path)))
            throw Error(ErrorKind::usage, format("\"{}\" is a symbolic link to \"{}\"",
                                                 join(pgdata_, file.path), file.target))
                .with_detail("A backup would lack what it leads to.")
                .with_hint("Only links of tablespaces and of pg_wal are followed. Move it back.");
    } else {
        return std::nullopt;  // a socket, say; PostgreSQL skips it as well
    }
    return file;
}

std::optional<FileDescriptor> open_data_file(const std::string& pgdata, const std::string& path) {
    const std::string full = join(pgdata, path);
    FileDescriptor fd(::open(full.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd.valid()) {
        if (errno == ENOENT) return std::nullopt;
        fail("open", full, errno);
    }

    struct stat status {};

    if (::fstat(fd.get(), &status) != 0) fail("look at", full, errno);
    if (!S_ISREG(status.st_mode))
        throw Error(ErrorKind::io, format("\"{}\" is no longer a file", full));
    return fd;
}

}  // namespace walden::pg
