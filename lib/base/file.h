// Files as the rest of walden needs them: whole reads, durable creation, no path surprises.
//
// Every failure is an Error of kind io (or not_found where said), naming the file and errno.
#pragma once

#include "base/bytes.h"

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace walden {

/// Owns one file descriptor; closes it and ignores the result. Code that wrote through it calls
/// close_checked() first, since NFS reports write errors there.
class FileDescriptor {
public:
    FileDescriptor() = default;

    explicit FileDescriptor(int fd) : fd_(fd) {}

    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }

    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;
    ~FileDescriptor();

    [[nodiscard]] int get() const { return fd_; }

    [[nodiscard]] bool valid() const { return fd_ >= 0; }

    /// Closes now; throws Error(io) naming `path` if close() reports a late write error.
    void close_checked(const std::string& path);

private:
    int fd_ = -1;
};

/// Creates, fills, syncs and then names a file, so that the name only ever shows whole content.
/// Abandoned (the temporary removed) unless one of the commit functions returned.
/// One thread at a time.
class NewFile {
public:
    /// Creates the temporary "<prefix>.<pid>.<random>", mode `mode`; the prefix is a path in the
    /// same file system, "<path>.tmp" if empty. Throws Error(io).
    NewFile(std::string path, mode_t mode, std::string prefix = "");

    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile();

    void write(ByteView bytes);

    /// fsync of the data. After a failure the file must not be committed: the kernel may have
    /// dropped the dirty pages and a second fsync would lie.
    void sync();

    /// Gives the file its name; an existing file is replaced. Does not sync the directory.
    void commit_replacing();

    /// Gives the file its name unless it is taken (link(2)); false if it is. Does not sync the
    /// directory.
    [[nodiscard]] bool commit_new();

    [[nodiscard]] int fd() const { return fd_.get(); }

private:
    std::string path_;
    std::string temporary_;
    FileDescriptor fd_;
    bool done_ = false;
};

/// The whole of an ordinary file, at most `size_max` bytes. nullopt if it does not exist.
/// Throws Error(io), also for a directory, FIFO or device, or a file that is larger.
[[nodiscard]] std::optional<Bytes> read_file(const std::string& path, std::size_t size_max);

/// Reads `size` bytes at `offset`; fewer only at the end of the file.
[[nodiscard]] Bytes read_range(int fd, std::uint64_t offset, std::size_t size,
                               const std::string& path);

/// Writes all of `bytes` at the file position, over short writes and EINTR.
void write_all(int fd, ByteView bytes, const std::string& path);

/// The same at `offset`; the file position stays.
void write_all_at(int fd, std::uint64_t offset, ByteView bytes, const std::string& path);

/// The same for what is mostly zeros: those are not written but reserved (FALLOC_FL_ZERO_RANGE of
/// fallocate(2)), where the file system can, so that a later write there does not run out of space.
void write_or_reserve_at(int fd, std::uint64_t offset, ByteView bytes, const std::string& path);

/// fsync of a directory, which makes the names in it durable.
void sync_directory(const std::string& path);

/// mkdir -p with mode 0700; each new level's parent is synced.
void make_directories(const std::string& path);

/// "a/b" for "a/b/c"; "." for "c"; "/" for "/c".
[[nodiscard]] std::string parent_directory(const std::string& path);

/// "name" for "some/where/name", and for "name".
[[nodiscard]] std::string base_name(const std::string& path);

/// Durable replacement of a small file: NewFile, sync, commit_replacing, sync_directory.
void write_file_durably(const std::string& path, ByteView bytes, mode_t mode);

}  // namespace walden
