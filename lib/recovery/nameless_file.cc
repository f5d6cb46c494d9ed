#include "recovery/nameless_file.h"

#include "base/error.h"
#include "base/format.h"
#include "base/random.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <optional>

namespace walden::recovery {

namespace {

constexpr std::size_t copy_size = std::size_t{1} << 20;

/// nullopt for what is not an ordinary file, or has a name already.
std::optional<FileStamp> nameless_stamp(int fd) {
    struct stat status {};

    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink != 0)
        return std::nullopt;
    return stamp_of(status);
}

FileDescriptor make_nameless(const std::string& directory) {
    FileDescriptor fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (fd.valid()) return fd;
    // Of a file system or a kernel without them (open(2)); ENOENT from kernels that take O_TMPFILE
    // for O_DIRECTORY alone is not told from a missing directory, and in memory is right for both.
    fd = FileDescriptor(::memfd_create("walden", MFD_CLOEXEC));
    if (!fd.valid()) throw system_error(ErrorKind::io, "make a file without a name", errno);
    return fd;
}

/// The server removes left-over "xlogtemp.*" when it starts (RemoveTempXlogFiles).
std::string temporary_prefix(const std::string& path) {
    return parent_directory(path) + "/xlogtemp.walden";
}

std::string describe(const std::string& directory) {
    return format("a file without a name in \"{}\"", directory);
}

bool give_name(int fd, const std::string& path) {
    const std::string temporary =
        format("{}.{}.{}", temporary_prefix(path), ::getpid(), to_hex(random_array<6>()));
    const std::string origin = format("/proc/self/fd/{}", fd);
    if (::linkat(AT_FDCWD, origin.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) != 0)
        return false;
    if (::rename(temporary.c_str(), path.c_str()) == 0) return true;
    const int error_number = errno;
    ::unlink(temporary.c_str());
    throw system_error(ErrorKind::io, format("rename to \"{}\"", path), error_number);
}

bool copy(int fd, const FileStamp& stamp, const std::string& path) {
    NewFile file(path, 0600, temporary_prefix(path));
    for (std::uint64_t offset = 0; offset < stamp.size; offset += copy_size) {
        const auto size =
            static_cast<std::size_t>(std::min<std::uint64_t>(copy_size, stamp.size - offset));
        const Bytes part = read_range(fd, offset, size, "the prefetched file");
        if (part.size() != size) return false;
        file.write(part);
    }
    // Not written to while it was copied.
    if (nameless_stamp(fd) != stamp) return false;
    file.commit_replacing();
    return true;
}

}  // namespace

NamelessFile::NamelessFile(std::string directory)
    : directory_(std::move(directory)), fd_(make_nameless(directory_)) {}

void NamelessFile::write_at(std::uint64_t offset, ByteView part) {
    write_or_reserve_at(fd_.get(), offset, part, describe(directory_));
}

void NamelessFile::complete(std::uint64_t size, DiskWrite disk_write) {
    const std::string name = describe(directory_);
    // The beginning is only a hint: in memory there is nothing to write. A failure of fdatasync is
    // told once, so the server would not hear of it: then the file must not be used.
    if (disk_write == DiskWrite::begun)
        static_cast<void>(::sync_file_range(fd_.get(), 0, 0, SYNC_FILE_RANGE_WRITE));
    else if (::fdatasync(fd_.get()) != 0)
        throw system_error(ErrorKind::io, format("fdatasync {}", name), errno);
    // The kernel's own times have the grain of its tick, some milliseconds: another write in the
    // same tick would not show. No write sets a time that lies a second back.
    timespec past{};
    ::clock_gettime(CLOCK_REALTIME, &past);
    past.tv_sec -= 1;
    const std::array<timespec, 2> times = {past, past};
    if (::futimens(fd_.get(), times.data()) != 0)
        throw system_error(ErrorKind::io, format("set the time of {}", name), errno);
    const auto stamp = nameless_stamp(fd_.get());
    if (!stamp || stamp->size != size)
        throw Error(ErrorKind::io, format("{} is not what was written", name));
    stamp_ = *stamp;
}

bool NamelessFile::is_untouched() const {
    return nameless_stamp(fd_.get()) == stamp_;
}

void NamelessFile::release_pages() const {
    static_cast<void>(::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED));  // a hint
}

bool deliver_nameless(int fd, const FileStamp& stamp, const std::string& path) {
    if (nameless_stamp(fd) != stamp) return false;
    return give_name(fd, path) || copy(fd, stamp, path);
}

}  // namespace walden::recovery
