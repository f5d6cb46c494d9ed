// Every kind of store. Only `walden` links this: S3 brings libcurl along.
#pragma once

#include "storage/s3/s3_storage.h"
#include "tools/config/config.h"
#include "vault/object_storage.h"

#include <memory>

namespace walden::commands {

/// "file:///absolute/path" or "s3://bucket/prefix", as configured. `retry`: cli::StorageOpener.
[[nodiscard]] std::unique_ptr<vault::ObjectStorage> open_any_store(
    const cli::Config& config, const storage::RetryOptions& retry = storage::one_attempt());

/// Makes the place if it can be made, which is a directory: a bucket has an owner and a policy.
void create_any_store(const cli::Config& config);

/// The store's own functions beyond the port; nullptr if it is no S3 store.
[[nodiscard]] std::unique_ptr<storage::s3::S3Storage> open_s3_store(
    const cli::Config& config, const storage::RetryOptions& retry = storage::one_attempt());

}  // namespace walden::commands
