#include "storage/local_stores.h"

#include "base/error.h"
#include "base/format.h"
#include "storage/posix/posix_storage.h"

#include <array>
#include <cstdint>

namespace walden::storage {

namespace {

std::string directory_of(const std::string& url) {
    std::string path = url.substr(directory_scheme.size());
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    if (path.size() < 2 || path.front() != '/')
        throw Error(ErrorKind::usage, format("store URL \"{}\" names no absolute path", url))
            .with_hint("Write file:///absolute/path, with three slashes.");
    return path;
}

std::unique_ptr<vault::ObjectStorage> open_directory(const StoreSettings& settings,
                                                     const RetryOptions&) {
    return std::make_unique<PosixStorage>(directory_of(settings.url));
}

void create_directory(const StoreSettings& settings) {
    PosixStorage::create_root(directory_of(settings.url));
}

FencingProof prove_directory(const StoreSettings& settings, const std::string& key) {
    PosixStorage storage(directory_of(settings.url));
    return probe_fencing(storage, key);
}

SweepCount sweep_directory(const StoreSettings& settings, const SweepOptions& options) {
    if (options.is_dry_run) return {};
    constexpr std::size_t no_limit = SIZE_MAX;
    // Whether its writer lives is known of each file: no age is needed.
    return {.removed_count = PosixStorage(directory_of(settings.url))
                                 .sweep_temporaries(std::chrono::system_clock::now(), no_limit)
                                 .removed_count};
}

}  // namespace

constinit const StoreKind directory_store = {
    .scheme = directory_scheme,
    .url_pattern = "file:///absolute/path",
    .open = open_directory,
    .create = create_directory,
    .prove_fencing = prove_directory,
    .unfenced_consent = "--accept-unfenced",
    .sweep = sweep_directory,
    .leftover_name = "temporary file",
};

StoreTable local_stores() {
    static constexpr std::array<const StoreKind*, 1> table = {&directory_store};
    return table;
}

}  // namespace walden::storage
