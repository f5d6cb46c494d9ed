#include "archive/source_file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace walden::archive {

namespace {

struct stat status_of(const FileDescriptor& fd, const std::string& path) {
    struct stat status {};

    if (::fstat(fd.get(), &status) != 0)
        throw system_error(ErrorKind::io, format("stat \"{}\"", path), errno);
    return status;
}

SourceIdentity identity_of(const struct stat& status) {
    return {.device = status.st_dev,
            .inode = status.st_ino,
            .size = static_cast<std::uint64_t>(status.st_size),
            .modified_seconds = status.st_mtim.tv_sec,
            .modified_nanoseconds = status.st_mtim.tv_nsec};
}

/// Fewer bytes than `out` has only where the file ends; returns how many.
std::size_t read_into(const FileDescriptor& fd, MutableByteView out, const std::string& path) {
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t got =
            ::pread(fd.get(), out.data() + done, out.size() - done, static_cast<off_t>(done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw system_error(ErrorKind::io, format("read \"{}\"", path), errno);
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

}  // namespace

std::optional<SourceIdentity> find_source_file(const std::string& path) {
    struct stat status {};

    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    return identity_of(status);
}

Bytes read_source_file(const std::string& path, std::size_t size_max) {
    Bytes bytes;
    read_source_file(path, size_max, bytes);
    return bytes;
}

SourceIdentity read_source_file(const std::string& path, std::size_t size_max, Bytes& out) {
    // O_NONBLOCK: a FIFO in place of the segment must not hang the archiver.
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid()) throw system_error(ErrorKind::io, format("open \"{}\"", path), errno);
    const struct stat before = status_of(fd, path);
    if (!S_ISREG(before.st_mode))
        throw Error(ErrorKind::io, format("\"{}\" is not an ordinary file", path));
    const SourceIdentity identity = identity_of(before);
    if (identity.size > size_max)
        throw Error(ErrorKind::io, format("\"{}\" has {} bytes, at most {} are expected", path,
                                          identity.size, size_max));
    out.resize(identity.size);
    const std::size_t read_size = read_into(fd, out, path);
    if (read_size != identity.size || identity_of(status_of(fd, path)) != identity)
        throw Error(ErrorKind::io, format("\"{}\" changed while it was read", path))
            .with_hint("PostgreSQL asks again; if this repeats, something else writes to pg_wal.");
    return identity;
}

}  // namespace walden::archive
