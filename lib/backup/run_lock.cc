#include "backup/run_lock.h"

#include "base/error.h"
#include "base/format.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace walden::backup {

RunLock::RunLock(const std::string& path) {
    make_directories(parent_directory(path));
    fd_ = FileDescriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd_.valid())
        throw system_error(ErrorKind::io, format("open lock file \"{}\"", path), errno);
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            throw system_error(ErrorKind::io, format("lock \"{}\"", path), errno);
        const Bytes holder = read_range(fd_.get(), 0, 20, path);
        throw Error(ErrorKind::conflict, "another backup is running here")
            .with_detail(format("Process {} holds \"{}\".", as_text(holder), path));
    }
    const std::string process = format("{}", ::getpid());
    if (::ftruncate(fd_.get(), 0) != 0)
        throw system_error(ErrorKind::io, format("truncate \"{}\"", path), errno);
    write_all_at(fd_.get(), 0, as_bytes(process), path);
}

}  // namespace walden::backup
