#include "archive/ready_files.h"

#include "base/error.h"
#include "base/format.h"
#include "wal/file_name.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>
#include <string_view>

namespace walden::archive {

namespace {

constexpr std::string_view suffix = ".ready";

bool is_history(const std::string& name) {
    return name.ends_with(".history");
}

}  // namespace

bool is_asked_before(const std::string& a, const std::string& b) {
    if (is_history(a) != is_history(b)) return is_history(a);
    return a < b;
}

std::vector<std::string> list_ready_files(const std::string& wal_directory) {
    const std::string path = wal_directory + "/archive_status";
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
    if (!dir) throw system_error(ErrorKind::io, format("open directory \"{}\"", path), errno);
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* item = ::readdir(dir.get());
        if (item == nullptr) {
            if (errno != 0) throw system_error(ErrorKind::io, format("read \"{}\"", path), errno);
            break;
        }
        std::string name = item->d_name;
        if (!name.ends_with(suffix)) continue;
        name.resize(name.size() - suffix.size());
        if (wal::parse_wal_file_name(name)) names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end(), is_asked_before);
    return names;
}

Backlog measure_backlog(const std::string& wal_directory, const std::vector<std::string>& ready) {
    Backlog backlog;
    const std::int64_t now = std::time(nullptr);
    std::int64_t oldest = now;
    for (const std::string& name : ready) {
        struct stat status {};

        const std::string path = format("{}/archive_status/{}{}", wal_directory, name, suffix);
        if (::stat(path.c_str(), &status) != 0) continue;
        ++backlog.count;
        if (!backlog.oldest.empty() && status.st_mtim.tv_sec >= oldest) continue;
        oldest = std::min<std::int64_t>(now, status.st_mtim.tv_sec);
        backlog.oldest = name;
    }
    backlog.oldest_age = static_cast<std::uint64_t>(now - oldest);
    return backlog;
}

}  // namespace walden::archive
