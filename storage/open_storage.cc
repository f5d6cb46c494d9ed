#include "storage/open_storage.h"

#include <string_view>

#include "base/error.h"
#include "base/format.h"
#include "storage/posix/posix_storage.h"

namespace walden::storage {

namespace {

constexpr std::string_view scheme = "file://";

std::string directory_of(const std::string& url) {
    if (!url.starts_with(scheme))
        throw Error(ErrorKind::usage, format("store URL \"{}\" is not supported", url))
            .with_hint("Write file:///absolute/path.");
    std::string path = url.substr(scheme.size());
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    if (path.size() < 2 || path.front() != '/')
        throw Error(ErrorKind::usage, format("store URL \"{}\" names no absolute path", url))
            .with_hint("Write file:///absolute/path, with three slashes.");
    return path;
}

}  // namespace

std::unique_ptr<vault::ObjectStorage> open_storage(const std::string& url) {
    return std::make_unique<PosixStorage>(directory_of(url));
}

bool is_directory_url(const std::string& url) { return url.starts_with(scheme); }

void create_storage(const std::string& url) { PosixStorage::create_root(directory_of(url)); }

}  // namespace walden::storage
