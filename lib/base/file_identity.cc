#include "base/file_identity.h"

#include <sys/stat.h>

namespace walden {

FileIdentity identity_of(const struct stat& status) {
    return {.device = status.st_dev, .inode = status.st_ino};
}

FileStamp stamp_of(const struct stat& status) {
    return {.size = static_cast<std::uint64_t>(status.st_size),
            .modified_seconds = status.st_mtim.tv_sec,
            .modified_nanoseconds = status.st_mtim.tv_nsec};
}

std::optional<FileIdentity> find_directory(const std::string& path) {
    struct stat status {};

    if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
    return identity_of(status);
}

std::optional<FileVersion> find_file(const std::string& path) {
    struct stat status {};

    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    return FileVersion{.file = identity_of(status), .stamp = stamp_of(status)};
}

}  // namespace walden
