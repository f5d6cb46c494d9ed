#include "pg/configuration_place.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "pg/configuration_text.h"

#include <dirent.h>
#include <unistd.h>

#include <memory>

namespace walden::pg {

namespace {

constexpr std::size_t configuration_size_max = 4 << 20;

bool is_same_directory(const std::string& a, const std::string& b) {
    struct stat first {};

    struct stat second {};

    return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

std::optional<std::string> data_directory_in(const std::string& file) {
    try {
        const auto bytes = read_file(file, configuration_size_max);
        return bytes ? find_setting(as_text(*bytes), "data_directory") : std::nullopt;
    } catch (const Error&) {
        return std::nullopt;
    }
}

}  // namespace

std::optional<ConfigurationPlace> find_configuration(const std::string& pgdata, int major_version,
                                                     const std::string& etc) {
    const std::string own = pgdata + "/postgresql.conf";
    if (::access(own.c_str(), F_OK) == 0) return ConfigurationPlace{.file = own, .cluster = {}};
    const std::string clusters = format("{}/{}", etc, major_version);
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(clusters.c_str()), ::closedir);
    if (!dir) return std::nullopt;
    while (const dirent* const item = ::readdir(dir.get())) {
        const std::string name = item->d_name;
        if (name == "." || name == "..") continue;
        const std::string file = format("{}/{}/postgresql.conf", clusters, name);
        const auto place = data_directory_in(file);
        if (place && (*place == pgdata || is_same_directory(*place, pgdata)))
            return ConfigurationPlace{.file = file, .cluster = name};
    }
    return std::nullopt;
}

}  // namespace walden::pg
