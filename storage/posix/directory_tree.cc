#include "storage/posix/directory_tree.h"

#include "base/file.h"
#include "base/format.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

namespace walden::storage {

namespace {

FileDescriptor openat2_beneath(int root, const std::string& path, int flags) {
    struct open_how how {};

    how.flags = static_cast<decltype(how.flags)>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    return FileDescriptor(
        static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

/// The agent changes its working directory, so a relative path has to be resolved at once.
std::string make_absolute(const std::string& path) {
    if (path.empty()) throw Error(ErrorKind::usage, "the directory of the store has an empty name");
    std::string absolute = path;
    if (path.front() != '/') {
        std::error_code error;
        const std::filesystem::path current = std::filesystem::current_path(error);
        if (error) throw_errno("find the current directory for", path, error.value());
        absolute = (current / path).string();
    }
    while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
    return absolute;
}

[[noreturn]] void throw_missing(const std::string& root, int error_number) {
    throw system_error(ErrorKind::not_found, format("open store directory \"{}\"", root),
                       error_number)
        .with_hint("Check that the file system of the store is mounted.");
}

bool says_missing(int error_number) {
    return error_number == ENOENT || error_number == ENOTDIR;
}

struct CloseDirectory {
    void operator()(DIR* stream) const { ::closedir(stream); }
};

DirectoryEntry::Kind kind_of_dirent(unsigned char type) {
    switch (type) {
        case DT_REG: return DirectoryEntry::Kind::file;
        case DT_DIR: return DirectoryEntry::Kind::directory;
        case DT_UNKNOWN: return DirectoryEntry::Kind::unknown;
        default: return DirectoryEntry::Kind::other;
    }
}

}  // namespace

ErrorKind kind_of_errno(int error_number) {
    switch (error_number) {
        case EACCES:
        case EPERM: return ErrorKind::denied;
        case ENOSPC:
        case EDQUOT:
        case EROFS:
        case EFBIG:
        case ELOOP:
        case ENOTDIR:
        case EISDIR:
        case ENAMETOOLONG:
        case EMLINK:
        case EXDEV:
        case ENXIO:
        case ENODEV:
        case EINVAL:
        case ENOSYS:
        case EOPNOTSUPP: return ErrorKind::io;
        // EIO, ESTALE, ETIMEDOUT, ENOTCONN, EMFILE, EINTR ...: network and FUSE file systems pass
        // on whatever they met, and an unknown number is rather a passing trouble than a fact.
        default: return ErrorKind::unavailable;
    }
}

namespace {

/// What a full file system lacks: bytes, or what it keeps files in.
std::string describe_full(const std::string& path) {
    struct statvfs status {};

    if (::statvfs(path.c_str(), &status) != 0) return "";
    if (status.f_files > 0 && status.f_favail == 0)
        return format(
            "The file system has no inodes left for another file; of its {} MiB, {} MiB "
            "are free.",
            status.f_blocks * status.f_frsize >> 20, status.f_bavail * status.f_frsize >> 20);
    return format("The file system has {} MiB left.", status.f_bavail * status.f_frsize >> 20);
}

}  // namespace

void throw_errno(std::string_view action, std::string_view path, int error_number) {
    Error error =
        system_error(kind_of_errno(error_number), format("{} \"{}\"", action, path), error_number);
    if (error_number != ENOSPC) throw Error(error);
    // The file itself may not be there, or be one of a directory that is open by its descriptor.
    throw std::move(error).with_detail(describe_full(parent_directory(std::string(path))));
}

DirectoryEntry::Kind kind_of_mode(mode_t mode) {
    if (S_ISREG(mode)) return DirectoryEntry::Kind::file;
    return S_ISDIR(mode) ? DirectoryEntry::Kind::directory : DirectoryEntry::Kind::other;
}

DirectoryTree::DirectoryTree(const std::string& root) : root_(make_absolute(root)) {
    fd_ = FileDescriptor(::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd_.valid()) {
        const int error_number = errno;
        if (says_missing(error_number)) throw_missing(root_, error_number);
        throw_errno("open store directory", root_, error_number);
    }

    struct stat status {};

    if (::fstat(fd_.get(), &status) != 0) throw_errno("stat", root_, errno);
    identity_ = identity_of(status);
    // ENOSYS from kernels before 5.6, EPERM from older container sandboxes. Any other failure will
    // show again at the first use.
    const FileDescriptor probe = openat2_beneath(fd_.get(), ".", O_PATH);
    has_openat2_ = probe.valid() || (errno != ENOSYS && errno != EPERM);
}

FileDescriptor DirectoryTree::open(const std::string& path, int flags) const {
    return has_openat2_ ? openat2_beneath(fd_.get(), path, flags) : open_by_component(path, flags);
}

FileDescriptor DirectoryTree::open_by_component(const std::string& path, int flags) const {
    FileDescriptor level;
    for (std::size_t begin = 0;;) {
        const std::size_t slash = path.find('/', begin);
        const bool is_last = slash == std::string::npos;
        const std::string component = path.substr(begin, is_last ? slash : slash - begin);
        const int parent = level.valid() ? level.get() : fd_.get();
        FileDescriptor next(
            ::openat(parent, component.c_str(),
                     (is_last ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC));
        if (!next.valid() && errno == ENOTDIR) {
            // O_DIRECTORY | O_NOFOLLOW says ENOTDIR for a symbolic link too, and ENOTDIR would be
            // read as "no such object".
            struct stat status {};

            const bool is_link =
                ::fstatat(parent, component.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                S_ISLNK(status.st_mode);
            errno = is_link ? ELOOP : ENOTDIR;
        }
        if (!next.valid() || is_last) return next;
        level = std::move(next);
        begin = slash + 1;
    }
}

void DirectoryTree::require_in_place() const {
    struct stat status {};

    if (::stat(root_.c_str(), &status) != 0) {
        const int error_number = errno;
        if (says_missing(error_number)) throw_missing(root_, error_number);
        throw_errno("stat store directory", root_, error_number);
    }
    // The inode number cannot have been given away again while fd_ holds the inode.
    if (identity_of(status) == identity_) return;
    throw Error(ErrorKind::not_found,
                format("store directory \"{}\" is not the one that was opened", root_))
        .with_detail("It was unmounted, mounted over, moved or replaced since.");
}

std::string DirectoryTree::absolute(std::string_view path) const {
    return format("{}{}{}", root_, root_.back() == '/' ? "" : "/", path);
}

std::vector<DirectoryEntry> read_directory(int directory, const std::string& path) {
    // fdopendir() takes a descriptor over, and the caller goes on using his.
    const int fd = ::fcntl(directory, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) throw_errno("read directory", path, errno);
    const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(fd));
    if (!stream) {
        const int error_number = errno;
        ::close(fd);
        throw_errno("read directory", path, error_number);
    }
    std::vector<DirectoryEntry> entries;
    for (;;) {
        errno = 0;
        // The stream is ours alone, which makes readdir() safe (readdir(3), glibc).
        const struct dirent* const entry = ::readdir(stream.get());
        if (entry == nullptr) {
            if (errno != 0) throw_errno("read directory", path, errno);
            return entries;
        }
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..")
            entries.push_back({std::string(name), kind_of_dirent(entry->d_type)});
    }
}

}  // namespace walden::storage
