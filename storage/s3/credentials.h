// Who we are to the store: where AWS's tools look for credentials, in their order.
//
// Source: "Standardized credential providers" in the AWS SDKs and Tools Reference Guide.
#pragma once

#include "storage/http/credential_cache.h"
#include "storage/http/timestamps.h"
#include "storage/s3/sigv4.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace walden::storage::s3 {

using CredentialProvider = CredentialCache<Credentials>;

/// What the chain depends on; the tests give their own.
struct CredentialOptions {
    using Environment = std::function<std::optional<std::string>(const std::string& name)>;

    /// The environment of the process; a variable that is empty counts as not set.
    static std::optional<std::string> process_environment(const std::string& name);

    std::string profile;  ///< if given, only that profile of the shared files is used
    std::string region;   ///< for STS; empty: as region_of() finds it
    Environment environment = process_environment;
    std::string proxy;  ///< for STS alone
    std::string container_url = "http://169.254.170.2";
    std::string metadata_url = "http://169.254.169.254";
    std::chrono::milliseconds metadata_timeout{1000};  ///< of a connection; ten times for an answer
};

/// The credentials of the first of these that is set up:
///   1 AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
///   2 AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN: STS AssumeRoleWithWebIdentity
///   3 shared files (AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE), profile AWS_PROFILE: keys, or a
///     role with a web identity token file
///   4 AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI: ECS, EKS
///   5 the instance metadata service of EC2, version 2, unless AWS_EC2_METADATA_DISABLED
/// One that is set up wrongly is an error, never passed over. Throws Error(usage) for that,
/// Error(unavailable) where a service does not answer, Error(denied) where it refuses, or where
/// nothing is set up. No secret enters a message.
[[nodiscard]] Credentials find_credentials(const CredentialOptions& options);

/// AWS_REGION, AWS_DEFAULT_REGION, or the profile's; empty if none says.
[[nodiscard]] std::string region_of(const CredentialOptions& options);

}  // namespace walden::storage::s3
