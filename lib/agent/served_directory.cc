#include "agent/served_directory.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace walden::agent {

std::optional<DataDirectory> find_data_directory(const std::string& path) {
    const std::string global = path + "/global";
    const auto directory = find_directory(path);
    const auto global_directory = find_directory(global);
    if (!directory || !global_directory || !find_file(global + "/pg_control")) return std::nullopt;
    DataDirectory found{.directory = *directory, .global = *global_directory};

    struct statx status {};

    if (::statx(AT_FDCWD, global.c_str(), 0, STATX_BTIME, &status) == 0 &&
        (status.stx_mask & STATX_BTIME) != 0) {
        found.made_seconds = status.stx_btime.tv_sec;
        found.made_nanoseconds = status.stx_btime.tv_nsec;
    }
    return found;
}

}  // namespace walden::agent
