#include "tools/commands/any_store.h"

#include "storage/open_storage.h"

namespace walden::commands {

std::unique_ptr<vault::ObjectStorage> open_any_store(const cli::Config& config,
                                                     const storage::RetryOptions& retry) {
    if (auto s3 = open_s3_store(config, retry)) return s3;
    return storage::open_storage(config.store.url);
}

void create_any_store(const cli::Config& config) {
    if (!storage::s3::is_s3_url(config.store.url)) storage::create_storage(config.store.url);
}

std::unique_ptr<storage::s3::S3Storage> open_s3_store(const cli::Config& config,
                                                      const storage::RetryOptions& retry) {
    if (!storage::s3::is_s3_url(config.store.url)) return nullptr;
    return std::make_unique<storage::s3::S3Storage>(config.store.s3, retry);
}

}  // namespace walden::commands
