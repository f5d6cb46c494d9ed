#include "restore/restore_run.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "pg/control_file.h"
#include "restore/file_window.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace walden::restore {

namespace {

constexpr std::size_t control_file_size = 8192;
constexpr mode_t permission_bits = 0777;

void make_directory(const std::string& path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
        throw system_error(ErrorKind::io, format("create directory \"{}\"", path), errno);
    if (::chmod(path.c_str(), mode) != 0)
        throw system_error(ErrorKind::io, format("set the mode of \"{}\"", path), errno);
}

bool is_empty_directory(const std::string& path) {
    DIR* const directory = ::opendir(path.c_str());
    if (directory == nullptr) return errno == ENOENT;
    bool is_empty = true;
    while (const dirent* const entry = ::readdir(directory)) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") is_empty = false;
    }
    ::closedir(directory);
    return is_empty;
}

/// One after the other: entries, window, files that only recovery needs, sync, pg_control.
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

    void run() {
        if (!is_empty_directory(settings_.directory))
            throw Error(ErrorKind::usage,
                        format("\"{}\" is not an empty directory", settings_.directory))
                .with_hint("Name a directory that is empty, or does not exist.");
        make_directories(parent_directory(settings_.directory));
        make_directory(settings_.directory, commit_.directory_mode);
        // Errors of writes are only told to those who had opened the file system before.
        const FileDescriptor root(
            ::open(settings_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!root.valid())
            throw system_error(ErrorKind::io, format("open \"{}\"", settings_.directory), errno);
        write_files();
        write_recovery_files();
        if (::syncfs(root.get()) != 0)
            throw system_error(ErrorKind::io, format("sync \"{}\"", settings_.directory), errno);
        write_control_file();
    }

private:
    [[nodiscard]] std::string path_of(const std::string& path) const {
        return settings_.directory + "/" + path;
    }

    void write_files() {
        FileWindow window(store_, commit_.format.page_size, settings_.worker_count);
        vault::BackupIndexReader index(store_, outcome_.id, outcome_.index,
                                       commit_.format.page_size);
        while (const auto entry = index.next()) {
            add(*entry, window);
            if (!window.is_full()) continue;
            window.write();
            observe_(
                {.done_bytes = window.written_bytes(), .all_bytes = commit_.counts.plain_bytes});
        }
        window.write();
        observe_({.done_bytes = window.written_bytes(), .all_bytes = commit_.counts.plain_bytes});
    }

    void add(const vault::IndexEntry& entry, FileWindow& window) const {
        const std::string path = path_of(entry.path);
        switch (entry.type) {
            case vault::BackupFileType::file:
                window.add(entry, path, entry.mode & permission_bits);
                return;
            case vault::BackupFileType::directory:
                make_directory(path, entry.mode & permission_bits);
                return;
            case vault::BackupFileType::tablespace_link:
            case vault::BackupFileType::other_link:
                if (::symlink(entry.target.c_str(), path.c_str()) != 0)
                    throw system_error(ErrorKind::io, format("create link \"{}\"", path), errno);
                return;
        }
    }

    void write_file(const std::string& name, ByteView bytes) const {
        const std::string path = path_of(name);
        FileDescriptor fd(
            ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, file_mode_));
        if (!fd.valid()) throw system_error(ErrorKind::io, format("create \"{}\"", path), errno);
        write_all(fd.get(), bytes, path);
        fd.close_checked(path);
    }

    void write_recovery_files() const {
        write_file("backup_label", as_bytes(commit_.backup_label));
        if (!commit_.tablespace_map.empty())
            write_file("tablespace_map", as_bytes(commit_.tablespace_map));
        const auto present = read_file(path_of("postgresql.auto.conf"), 16 << 20);
        std::string settings(present ? as_text(*present) : std::string_view());
        if (!settings.empty() && settings.back() != '\n') settings += '\n';
        settings += settings_.recovery_settings;
        write_file("postgresql.auto.conf", as_bytes(settings));
        write_file("recovery.signal", {});
    }

    /// PostgreSQL advises to remove backup_label when it finds no checkpoint record. It would start
    /// from pg_control's then and be silently corrupt; from this one it does not start.
    void write_control_file() const {
        Bytes bytes = commit_.control_file;
        bytes.resize(std::max(bytes.size(), control_file_size), std::byte{0});
        bytes = pg::with_unusable_checkpoint(bytes);
        const std::string path = path_of("global/pg_control");
        write_file_durably(path, bytes, file_mode_);
    }

    const vault::BackupStore& store_;
    const vault::BackupOutcome& outcome_;
    const vault::BackupCommit& commit_;
    const RestoreSettings& settings_;
    const ObserveRestore& observe_;
    mode_t file_mode_;
};

}  // namespace

std::optional<vault::BackupOutcome> find_newest_backup(const vault::BackupStore& store) {
    std::vector<vault::BackupId> ids = store.list();
    std::reverse(ids.begin(), ids.end());
    for (const vault::BackupId& id : ids) {
        auto outcome = store.find_outcome(id);
        if (outcome && outcome->commit && !store.find_tomb(id)) return outcome;
    }
    return std::nullopt;
}

void run_restore(const vault::BackupStore& store, const vault::BackupOutcome& outcome,
                 const RestoreSettings& settings, const ObserveRestore& observe) {
    assert(outcome.commit);
    Run(store, outcome, settings, observe).run();
}

}  // namespace walden::restore
