#include "storage/open_storage.h"

#include "base/error.h"
#include "base/format.h"
#include "storage/posix/posix_storage.h"
#include "storage/store_settings.h"

#include <chrono>
#include <cstdint>
#include <string_view>

namespace walden::storage {

namespace {

std::string directory_of(const std::string& url) {
    if (s3::is_s3_url(url))
        throw Error(ErrorKind::usage, format("store \"{}\" cannot be reached by this program", url))
            .with_detail("It starts without libcurl, which S3 needs.")
            .with_hint("Install the program \"walden\" beside it, which does the work instead.");
    if (!is_directory_url(url))
        throw Error(ErrorKind::usage, format("store URL \"{}\" is not supported", url))
            .with_hint("Write file:///absolute/path or s3://bucket/prefix.");
    std::string path = url.substr(directory_scheme.size());
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

std::size_t sweep_storage(const std::string& url) {
    constexpr std::size_t no_limit = SIZE_MAX;
    return PosixStorage(directory_of(url))
        .sweep_temporaries(std::chrono::system_clock::now(), no_limit)
        .removed_count;
}

void create_storage(const std::string& url) {
    PosixStorage::create_root(directory_of(url));
}

}  // namespace walden::storage
