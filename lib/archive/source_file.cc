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

FileVersion version_of(const struct stat& status) {
    return {.file = identity_of(status), .stamp = stamp_of(status)};
}

void require_size(std::size_t size, std::size_t size_max, const std::string& path) {
    if (size > size_max)
        throw Error(ErrorKind::io,
                    format("\"{}\" has {} bytes, at most {} are expected", path, size, size_max));
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

/// Replaces the content of `out`; returns what was read.
FileVersion read_whole(const std::string& path, std::size_t size_max, Bytes& out) {
    // O_NONBLOCK: a FIFO in place of the segment must not hang the archiver.
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid()) {
        const int error_number = errno;
        const bool is_name_only = path.find('/') == std::string::npos;
        throw system_error(ErrorKind::io, format("open \"{}\"", path), error_number)
            .with_hint(error_number == ENOENT && is_name_only
                           ? "archive_command needs %p, the path of the file; %f is only its name."
                           : "");
    }
    const struct stat before = status_of(fd, path);
    if (!S_ISREG(before.st_mode))
        throw Error(ErrorKind::io, format("\"{}\" is not an ordinary file", path));
    const FileVersion version = version_of(before);
    require_size(version.stamp.size, size_max, path);
    out.resize(version.stamp.size);
    const std::size_t read_size = read_into(fd, out, path);
    if (read_size != version.stamp.size || version_of(status_of(fd, path)) != version)
        throw Error(ErrorKind::io, format("\"{}\" changed while it was read", path))
            .with_hint("PostgreSQL asks again; if this repeats, something else writes to pg_wal.");
    return version;
}

}  // namespace

FileSource source_at(const std::string& path) {
    return {.name = base_name(path), .directory = parent_directory(path)};
}

SourceBytes read_source(const FileSource& source, std::size_t size_max) {
    if (source.bytes) {
        require_size(source.bytes->size(), size_max, source.name);
        return {.bytes = source.bytes, .version = std::nullopt};
    }
    const auto bytes = std::make_shared<Bytes>();
    const FileVersion version = read_whole(source.path(), size_max, *bytes);
    return {.bytes = bytes, .version = version};
}

std::size_t source_size(const FileSource& source) {
    if (source.bytes) return source.bytes->size();
    const auto version = find_file(source.path());
    return version ? version->stamp.size : 0;
}

Bytes read_source_file(const std::string& path, std::size_t size_max) {
    Bytes bytes;
    static_cast<void>(read_whole(path, size_max, bytes));
    return bytes;
}

}  // namespace walden::archive
