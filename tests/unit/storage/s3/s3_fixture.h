// An S3Storage on the S3 server of the tests.
#pragma once

#include "storage/s3/s3_storage.h"
#include "tests/support/s3_server.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace walden::testing {

inline storage::s3::S3Settings settings_for(const S3Server& server, std::string prefix = "p/q") {
    storage::s3::S3Settings settings;
    settings.bucket = S3Server::bucket;
    settings.prefix = std::move(prefix);
    settings.endpoint = server.endpoint();
    settings.region = S3Server::region;
    settings.connect_timeout = std::chrono::seconds(5);
    settings.stall_timeout = std::chrono::seconds(1);
    settings.request_timeout = std::chrono::seconds(30);
    return settings;
}

inline std::shared_ptr<storage::s3::CredentialProvider> server_credentials(
    std::string secret = S3Server::secret_key) {
    return std::make_shared<storage::s3::CredentialProvider>([secret] {
        return storage::s3::Credentials{.access_key_id = S3Server::access_key,
                                        .secret_access_key = SecretText(secret),
                                        .session_token = SecretText()};
    });
}

/// A storage as configured by `settings`, with the server's credentials.
inline std::unique_ptr<storage::s3::S3Storage> open_s3(
    const storage::s3::S3Settings& settings,
    const storage::RetryOptions& retry = storage::one_attempt()) {
    return std::make_unique<storage::s3::S3Storage>(settings, server_credentials(),
                                                    std::chrono::system_clock::now, retry);
}

/// How many requests of that operation the server has seen.
inline std::size_t count_of(const std::vector<S3Request>& log, std::string_view operation) {
    return static_cast<std::size_t>(
        std::count_if(log.begin(), log.end(),
                      [&](const S3Request& request) { return request.operation == operation; }));
}

/// Bytes that differ at every place.
inline Bytes make_body(std::size_t size, std::uint32_t seed = 1) {
    Bytes body(size);
    std::uint32_t state = seed * 2654435761U + 1;
    for (std::byte& b : body)
        b = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
    return body;
}

}  // namespace walden::testing
