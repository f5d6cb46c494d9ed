#include "pg/tablespace_links.h"

#include "base/error.h"
#include "base/format.h"
#include "wal/number_text.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>

namespace walden::pg {

namespace {

ErrorKind kind_of(int error_number) {
    return error_number == EACCES || error_number == EPERM ? ErrorKind::denied : ErrorKind::io;
}

/// The path without links, dots and doubled slashes.
std::string real_path(const std::string& path) {
    const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), ::free);
    if (!real) throw system_error(kind_of(errno), format("resolve \"{}\"", path), errno);
    return real.get();
}

bool lies_in(const std::string& path, const std::string& directory) {
    return path == directory || path.starts_with(directory == "/" ? "/" : directory + "/");
}

/// nullopt if the link vanished meanwhile.
std::optional<TablespaceLink> read_link(const std::string& path, std::uint32_t oid) {
    TablespaceLink link;
    link.oid = oid;
    std::array<char, PATH_MAX> target{};
    const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    if (size > 0) {
        link.target.assign(target.data(), static_cast<std::size_t>(size));
    } else if (errno != EINVAL) {  // a directory
        if (errno == ENOENT) return std::nullopt;
        throw system_error(kind_of(errno), format("read link \"{}\"", path), errno);
    }
    const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), ::free);
    if (!real) {
        const int reason = errno;
        if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT &&
            ::readlink(path.c_str(), target.data(), target.size()) < 0)
            return std::nullopt;  // dropped at this moment
        const bool leads_nowhere = reason == ENOENT || reason == ELOOP || reason == ENOTDIR;
        throw system_error(leads_nowhere ? ErrorKind::usage : kind_of(reason),
                           format("follow the tablespace link \"{}\" to \"{}\"", path, link.target),
                           reason);
    }
    link.place = real.get();
    return link;
}

}  // namespace

std::vector<TablespaceLink> read_tablespace_links(const std::string& pgdata) {
    const std::string directory = pgdata + "/pg_tblspc";
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
    if (!dir) throw system_error(kind_of(errno), format("open directory \"{}\"", directory), errno);
    std::vector<TablespaceLink> links;
    for (;;) {
        errno = 0;
        const dirent* const item = ::readdir(dir.get());
        if (item == nullptr) break;
        const auto oid = wal::parse_number(item->d_name, 10);
        if (!oid) continue;
        if (auto link = read_link(directory + "/" + item->d_name, *oid))
            links.push_back(std::move(*link));
    }
    if (errno != 0)
        throw system_error(ErrorKind::io, format("read directory \"{}\"", directory), errno);
    std::sort(links.begin(), links.end(),
              [](const TablespaceLink& a, const TablespaceLink& b) { return a.oid < b.oid; });
    return links;
}

void require_sane_tablespaces(const std::string& pgdata, const std::string& version_directory) {
    const std::string data = real_path(pgdata);
    const std::vector<TablespaceLink> links = read_tablespace_links(pgdata);
    for (const TablespaceLink& link : links) {
        if (link.target.empty()) continue;
        const std::string name = format("tablespace {} at \"{}\"", link.oid, link.target);
        if (lies_in(link.place, data))
            throw Error(ErrorKind::usage, name + " lies in the data directory")
                .with_hint(
                    "Its files would be in a backup twice. Move the tablespace, or take a "
                    "backup with pg_basebackup.");
        if (lies_in(data, link.place + "/" + version_directory))
            throw Error(ErrorKind::usage, name + " holds the data directory");
        for (const TablespaceLink& other : links) {
            if (other.oid == link.oid) continue;
            if (link.place == other.place ||
                lies_in(link.place, other.place + "/" + version_directory))
                throw Error(ErrorKind::usage,
                            format("{} lies in tablespace {} at \"{}\"", name, other.oid,
                                   other.target.empty() ? other.place : other.target));
        }
    }
}

}  // namespace walden::pg
