#include "restore/restore_run.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "pg/control_file.h"
#include "pg/relation_file.h"
#include "pg/tablespace_map.h"
#include "restore/file_window.h"
#include "restore/stale_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <set>

namespace walden::restore {

namespace {

constexpr std::size_t control_file_size = 8192;
constexpr std::size_t settings_size_max = 16 << 20;
constexpr mode_t permission_bits = 0777;
constexpr std::string_view tablespace_directory = "pg_tblspc/";

void make_directory(const std::string& path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
        throw system_error(ErrorKind::io, format("create directory \"{}\"", path), errno);
    if (::chmod(path.c_str(), mode) != 0)
        throw system_error(ErrorKind::io, format("set the mode of \"{}\"", path), errno);
}

void remove_if_there(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        throw system_error(ErrorKind::io, format("remove \"{}\"", path), errno);
}

void make_link(const std::string& target, const std::string& path) {
    remove_if_there(path);
    if (::symlink(target.c_str(), path.c_str()) != 0)
        throw system_error(ErrorKind::io, format("create link \"{}\"", path), errno);
}

/// A descriptor of the file system; errors of writes are only told to those who had it before.
FileDescriptor open_root(const std::string& path) {
    FileDescriptor root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid()) throw system_error(ErrorKind::io, format("open \"{}\"", path), errno);
    return root;
}

/// One after the other: what is there, entries, window, files that only recovery needs, sync,
/// pg_control.
class Run {
public:
    Run(const vault::BackupStore& store, const vault::BackupOutcome& outcome,
        const RestoreSettings& settings, const ObserveRestore& observe)
        : store_(store),
          outcome_(outcome),
          commit_(*outcome.commit),
          settings_(settings),
          observe_(observe),
          file_mode_((commit_.directory_mode & 0040) != 0 ? 0640 : 0600) {}

    RestoreReport run() {
        state_ =
            examine_directory(settings_.directory, outcome_.system_identifier, settings_.overwrite);
        place_tablespaces();
        make_directories(parent_directory(settings_.directory));
        make_directory(settings_.directory, commit_.directory_mode);
        if (state_ == DirectoryState::fresh)
            require_space(settings_.directory, commit_.counts.plain_bytes);
        roots_.push_back(open_root(settings_.directory));
        clear_old_state();
        write_files();
        write_recovery_files();
        for (const FileDescriptor& root : roots_)
            if (::syncfs(root.get()) != 0)
                throw system_error(ErrorKind::io,
                                   format("sync the file system of \"{}\"", settings_.directory),
                                   errno);
        write_control_file();
        remove_if_there(path_of(restore_marker));
        sync_directory(settings_.directory);
        return report_;
    }

private:
    [[nodiscard]] std::string path_of(std::string_view path) const {
        return format("{}/{}", settings_.directory, path);
    }

    [[nodiscard]] static bool is_in_place(const vault::BackupTablespace& tablespace) {
        return !tablespace.path.starts_with('/');
    }

    /// Decides where each tablespace goes, before anything is written.
    void place_tablespaces() {
        std::set<std::string> used;
        for (const vault::BackupTablespace& tablespace : commit_.tablespaces) {
            std::string place = tablespace.path;
            if (const auto mapped = settings_.tablespaces.find(place);
                mapped != settings_.tablespaces.end()) {
                used.insert(place);
                place = mapped->second;
            }
            if (!is_in_place(tablespace) && state_ == DirectoryState::fresh)
                require_empty_place(place);
            places_.push_back({.oid = tablespace.oid, .location = place});
        }
        for (const auto& [from, to] : settings_.tablespaces)
            if (!used.contains(from))
                throw Error(ErrorKind::usage,
                            format("the backup has no tablespace at \"{}\"", from));
    }

    [[nodiscard]] std::string location_of(const vault::IndexEntry& entry) const {
        const std::string oid = entry.path.substr(tablespace_directory.size());
        for (const pg::Tablespace& place : places_)
            if (std::to_string(place.oid) == oid) return place.location;
        return entry.target;
    }

    /// From here on nothing in the directory can be started, and a call like this one goes on.
    void clear_old_state() {
        if (state_ == DirectoryState::cluster) report_.wal_aside = move_wal_aside();
        write_file(restore_marker, as_bytes(outcome_.id.text()));
        sync_directory(settings_.directory);
        for (const std::string_view name :
             {"global/pg_control", "backup_label", "backup_label.old", "tablespace_map",
              "tablespace_map.old", "recovery.signal", "standby.signal", "postmaster.pid",
              "backup_manifest"})
            remove_if_there(path_of(name));
    }

    [[nodiscard]] std::string move_wal_aside() const {
        return restore::move_wal_aside(settings_.directory, outcome_.id);
    }

    void write_files() {
        FileWindow window(
            store_, commit_.format.page_size, settings_.worker_count,
            state_ == DirectoryState::fresh ? PresentFiles::none : PresentFiles::compare);
        vault::BackupIndexReader index(store_, outcome_.id, outcome_.index,
                                       commit_.format.page_size);
        KnownPaths known;
        while (const auto entry = index.next()) {
            if (state_ != DirectoryState::fresh) known.add(entry->path);
            add(*entry, window);
            if (!window.is_full()) continue;
            window.write();
            observe_(
                {.done_bytes = window.written_bytes(), .all_bytes = commit_.counts.plain_bytes});
        }
        window.write();
        observe_({.done_bytes = window.written_bytes(), .all_bytes = commit_.counts.plain_bytes});
        report_.kept_bytes = window.kept_bytes();
        report_.written_bytes = window.written_bytes() - window.kept_bytes();
        if (state_ != DirectoryState::fresh)
            report_.removed_files = known.remove_others(
                settings_.directory,
                pg::tablespace_version_directory(commit_.format.major_version,
                                                 commit_.format.catalog_version));
    }

    void add(const vault::IndexEntry& entry, FileWindow& window) {
        const std::string path = path_of(entry.path);
        switch (entry.type) {
            case vault::BackupFileType::file:
                window.add(entry, path, entry.mode & permission_bits);
                return;
            case vault::BackupFileType::directory:
                make_directory(path, entry.mode & permission_bits);
                return;
            case vault::BackupFileType::tablespace_link: make_tablespace(entry, path); return;
            case vault::BackupFileType::other_link: make_link(entry.target, path); return;
        }
    }

    void make_tablespace(const vault::IndexEntry& entry, const std::string& path) {
        const std::string location = location_of(entry);
        make_directories(parent_directory(location));
        make_directory(location, commit_.directory_mode);
        make_link(location, path);
        roots_.push_back(open_root(location));
    }

    void write_file(std::string_view name, ByteView bytes) const {
        const std::string path = path_of(name);
        FileDescriptor fd(
            ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, file_mode_));
        if (!fd.valid()) throw system_error(ErrorKind::io, format("create \"{}\"", path), errno);
        write_all(fd.get(), bytes, path);
        fd.close_checked(path);
    }

    void write_recovery_files() const {
        write_file("backup_label", as_bytes(commit_.backup_label));
        // The server makes its links anew from the map, so both must say the same (pitfall 22).
        if (!commit_.tablespace_map.empty()) write_tablespace_map();
        const auto present = read_file(path_of("postgresql.auto.conf"), settings_size_max);
        write_file("postgresql.auto.conf",
                   as_bytes(pg::with_recovery_settings(
                       present ? as_text(*present) : std::string_view(), settings_.recovery)));
        write_file(pg::signal_file_of(settings_.recovery.goal), {});
    }

    void write_tablespace_map() const {
        auto map = pg::parse_tablespace_map(commit_.tablespace_map, commit_.format.major_version);
        if (!map)
            throw Error(ErrorKind::corrupt,
                        format("the tablespace map of backup {} is malformed", outcome_.id.text()));
        for (pg::Tablespace& line : *map)
            for (const pg::Tablespace& place : places_)
                if (place.oid == line.oid) line.location = place.location;
        write_file("tablespace_map",
                   as_bytes(pg::to_tablespace_map(*map, commit_.format.major_version)));
    }

    /// PostgreSQL advises to remove backup_label when it finds no checkpoint record. It would start
    /// from pg_control's then and be silently corrupt; from this one it does not start.
    void write_control_file() const {
        Bytes bytes = commit_.control_file;
        bytes.resize(std::max(bytes.size(), control_file_size), std::byte{0});
        bytes = pg::with_unusable_checkpoint(bytes);
        write_file_durably(path_of("global/pg_control"), bytes, file_mode_);
    }

    const vault::BackupStore& store_;
    const vault::BackupOutcome& outcome_;
    const vault::BackupCommit& commit_;
    const RestoreSettings& settings_;
    const ObserveRestore& observe_;
    mode_t file_mode_;
    DirectoryState state_ = DirectoryState::fresh;
    std::vector<pg::Tablespace> places_;
    std::vector<FileDescriptor> roots_;  ///< one for each place that is written to
    RestoreReport report_;
};

}  // namespace

RestoreReport run_restore(const vault::BackupStore& store, const vault::BackupOutcome& outcome,
                          const RestoreSettings& settings, const ObserveRestore& observe) {
    assert(outcome.commit);
    return Run(store, outcome, settings, observe).run();
}

}  // namespace walden::restore
