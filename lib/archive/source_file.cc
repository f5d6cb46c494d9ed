#include "archive/source_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"

namespace walden::archive {

namespace {

struct stat status_of(const FileDescriptor& fd, const std::string& path) {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0)
        throw system_error(ErrorKind::io, format("stat \"{}\"", path), errno);
    return status;
}

}  // namespace

Bytes read_source_file(const std::string& path, std::size_t size_max) {
    // O_NONBLOCK: a FIFO in place of the segment must not hang the archiver.
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid()) throw system_error(ErrorKind::io, format("open \"{}\"", path), errno);
    const struct stat before = status_of(fd, path);
    if (!S_ISREG(before.st_mode))
        throw Error(ErrorKind::io, format("\"{}\" is not an ordinary file", path));
    const auto size = static_cast<std::uint64_t>(before.st_size);
    if (size > size_max)
        throw Error(ErrorKind::io,
                    format("\"{}\" has {} bytes, at most {} are expected", path, size, size_max));
    Bytes bytes = read_range(fd.get(), 0, size, path);
    const struct stat after = status_of(fd, path);
    if (bytes.size() != size || after.st_size != before.st_size ||
        after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
        after.st_mtim.tv_nsec != before.st_mtim.tv_nsec)
        throw Error(ErrorKind::io, format("\"{}\" changed while it was read", path))
            .with_hint("PostgreSQL asks again; if this repeats, something else writes to pg_wal.");
    return bytes;
}

}  // namespace walden::archive
