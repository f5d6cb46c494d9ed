#include "base/file.h"

#include "base/error.h"
#include "base/format.h"
#include "base/random.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace walden {

namespace {

/// One read(2) call; Linux transfers at most this much anyway.
constexpr std::size_t io_size_max = std::size_t{1} << 30;

[[noreturn]] void fail(std::string_view action, const std::string& path) {
    const int error_number = errno;
    throw system_error(ErrorKind::io, format("{} \"{}\"", action, path), error_number);
}

}  // namespace

FileDescriptor::~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
}

void FileDescriptor::close_checked(const std::string& path) {
    const int fd = std::exchange(fd_, -1);
    // On EINTR Linux has closed the descriptor already.
    if (fd >= 0 && ::close(fd) != 0 && errno != EINTR) fail("close", path);
}

NewFile::NewFile(std::string path, mode_t mode, std::string prefix) : path_(std::move(path)) {
    if (prefix.empty()) prefix = path_ + ".tmp";
    temporary_ = format("{}.{}.{}", prefix, ::getpid(), to_hex(random_array<6>()));
    fd_ = FileDescriptor(
        ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd_.valid()) {
        done_ = true;  // nothing to remove
        fail("create", temporary_);
    }
}

NewFile::~NewFile() {
    if (!done_) ::unlink(temporary_.c_str());
}

void NewFile::write(ByteView bytes) {
    write_all(fd_.get(), bytes, temporary_);
}

void NewFile::sync() {
    if (::fsync(fd_.get()) != 0) fail("fsync", temporary_);
}

void NewFile::commit_replacing() {
    fd_.close_checked(temporary_);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename to", path_);
    done_ = true;
}

bool NewFile::commit_new() {
    fd_.close_checked(temporary_);
    if (::link(temporary_.c_str(), path_.c_str()) != 0) {
        if (errno != EEXIST) fail("link to", path_);

        // NFS may answer EEXIST to a retransmitted request that had worked: then the temporary
        // has two names (open(2), O_EXCL).
        struct stat status {};

        if (::stat(temporary_.c_str(), &status) != 0 || status.st_nlink != 2) return false;
    }
    ::unlink(temporary_.c_str());
    done_ = true;
    return true;
}

std::optional<Bytes> read_file(const std::string& path, std::size_t size_max) {
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid()) {
        if (errno == ENOENT) return std::nullopt;
        fail("open", path);
    }

    struct stat status {};

    if (::fstat(fd.get(), &status) != 0) fail("stat", path);
    if (!S_ISREG(status.st_mode))
        throw Error(ErrorKind::io, format("\"{}\" is not an ordinary file", path));
    if (static_cast<std::uint64_t>(status.st_size) > size_max)
        throw Error(ErrorKind::io, format("\"{}\" has {} bytes, more than the {} that it may have",
                                          path, status.st_size, size_max));
    return read_range(fd.get(), 0, static_cast<std::size_t>(status.st_size), path);
}

Bytes read_range(int fd, std::uint64_t offset, std::size_t size, const std::string& path) {
    Bytes bytes(size);
    std::size_t done = 0;
    while (done < size) {
        const ssize_t got = ::pread(fd, bytes.data() + done, std::min(size - done, io_size_max),
                                    static_cast<off_t>(offset + done));
        if (got < 0) {
            if (errno == EINTR) continue;
            fail("read", path);
        }
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    bytes.resize(done);
    return bytes;
}

void write_all(int fd, ByteView bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t done = ::write(fd, bytes.data(), std::min(bytes.size(), io_size_max));
        if (done < 0) {
            if (errno == EINTR) continue;
            fail("write", path);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
}

void write_all_at(int fd, std::uint64_t offset, ByteView bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t done = ::pwrite(fd, bytes.data(), std::min(bytes.size(), io_size_max),
                                      static_cast<off_t>(offset));
        if (done < 0) {
            if (errno == EINTR) continue;
            fail("write", path);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(done));
        offset += static_cast<std::uint64_t>(done);
    }
}

void write_or_reserve_at(int fd, std::uint64_t offset, ByteView bytes, const std::string& path) {
    if (!bytes.empty() && is_zero(bytes) &&
        ::fallocate(fd, FALLOC_FL_ZERO_RANGE, static_cast<off_t>(offset),
                    static_cast<off_t>(bytes.size())) == 0)
        return;
    // What cannot be reserved is written, or fails there with the reason.
    write_all_at(fd, offset, bytes, path);
}

void sync_directory(const std::string& path) {
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) fail("open directory", path);
    if (::fsync(fd.get()) != 0) fail("fsync directory", path);
}

void make_directories(const std::string& path) {
    struct stat status {};

    if (::stat(path.c_str(), &status) == 0) {
        if (S_ISDIR(status.st_mode)) return;
        throw Error(ErrorKind::io, format("\"{}\" is not a directory", path));
    }
    // Any other failure says nothing of the parents, and these two are their own.
    if (errno != ENOENT || path == "/" || path == ".") fail("stat", path);
    const std::string parent = parent_directory(path);
    make_directories(parent);
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        const int error_number = errno;
        Error error =
            system_error(ErrorKind::io, format("create directory \"{}\"", path), error_number);
        if (error_number != EACCES) throw Error(error);
        throw std::move(error).with_hint(
            format("Make it as root: install -d -o {} -g {} -m 0700 \"{}\"", ::geteuid(),
                   ::getegid(), path));
    }
    sync_directory(parent);
}

std::string parent_directory(const std::string& path) {
    const std::size_t slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::string base_name(const std::string& path) {
    const std::size_t slash = path.find_last_of('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

void write_file_durably(const std::string& path, ByteView bytes, mode_t mode) {
    NewFile file(path, mode);
    file.write(bytes);
    file.sync();
    file.commit_replacing();
    sync_directory(parent_directory(path));
}

}  // namespace walden
