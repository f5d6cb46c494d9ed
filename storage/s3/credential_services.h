// Services that hand out temporary credentials: STS, the container's endpoint, the instance's.
#pragma once

#include "storage/s3/credentials.h"

#include <optional>
#include <string>

namespace walden::storage::s3 {

struct WebIdentity {
    std::string role_arn;
    std::string token_file;
    std::string session_name;
    std::string region;  ///< whose STS is asked; empty: us-east-1
};

/// STS AssumeRoleWithWebIdentity (API version 2011-06-15) at AWS_ENDPOINT_URL_STS, else at the
/// region's. Throws Error(usage) without a readable token, Error(denied) if STS refuses,
/// Error(unavailable) if it does not answer.
[[nodiscard]] Credentials assume_role(const CredentialOptions& options,
                                      const WebIdentity& identity);

/// The credentials of the container's role; nullopt if no such endpoint is set. Throws Error(usage)
/// for an address that AWS_CONTAINER_CREDENTIALS_FULL_URI may not name: over plain HTTP only this
/// host and the two of ECS and EKS are allowed, so that the token stays here.
[[nodiscard]] std::optional<Credentials> container_credentials(const CredentialOptions& options);

/// The credentials of the instance's role by IMDSv2; nullopt if nobody answers there, as everywhere
/// but on EC2, or if the instance has no role.
[[nodiscard]] std::optional<Credentials> instance_credentials(const CredentialOptions& options);

}  // namespace walden::storage::s3
