#include "storage/s3/credentials.h"

#include "base/error.h"
#include "base/format.h"
#include "storage/s3/credential_services.h"
#include "storage/s3/shared_files.h"

#include <algorithm>
#include <cstdlib>

namespace walden::storage::s3 {

namespace {

using Profile = SharedFiles::Profile;

bool is_header_text(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

/// A line break in a token would become a header of its own.
Credentials checked(Credentials credentials) {
    if (!credentials.access_key_id.empty() && !credentials.secret_access_key.empty() &&
        is_header_text(credentials.access_key_id) &&
        is_header_text(credentials.session_token.reveal()))
        return credentials;
    throw Error(ErrorKind::usage,
                "credentials of the store are empty or contain characters that no "
                "credentials have");
}

std::optional<Credentials> from_environment(const CredentialOptions& options) {
    const auto id = options.environment("AWS_ACCESS_KEY_ID");
    const auto secret = options.environment("AWS_SECRET_ACCESS_KEY");
    if (!id && !secret) return std::nullopt;
    if (!id || !secret)
        throw Error(ErrorKind::usage,
                    "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set");
    return Credentials{
        .access_key_id = *id,
        .secret_access_key = SecretText(*secret),
        .session_token = SecretText(options.environment("AWS_SESSION_TOKEN").value_or(""))};
}

WebIdentity web_identity(const CredentialOptions& options, std::string role, std::string token_file,
                         const std::string& session) {
    return {.role_arn = std::move(role),
            .token_file = std::move(token_file),
            .session_name = session.empty() ? "walden" : session,
            .region = options.region.empty() ? region_of(options) : options.region};
}

std::optional<Credentials> from_web_identity(const CredentialOptions& options) {
    const auto file = options.environment("AWS_WEB_IDENTITY_TOKEN_FILE");
    const auto role = options.environment("AWS_ROLE_ARN");
    if (!file) return std::nullopt;
    if (!role)
        throw Error(ErrorKind::usage,
                    "AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not");
    return assume_role(options,
                       web_identity(options, *role, *file,
                                    options.environment("AWS_ROLE_SESSION_NAME").value_or("")));
}

std::string profile_name(const CredentialOptions& options) {
    if (!options.profile.empty()) return options.profile;
    return options.environment("AWS_PROFILE").value_or("default");
}

std::optional<Credentials> from_profile(const CredentialOptions& options) {
    const std::string name = profile_name(options);
    const bool is_named = !options.profile.empty() || options.environment("AWS_PROFILE");
    const SharedFiles files = SharedFiles::read(options.environment);
    const Profile* profile = files.find(name);
    if (profile == nullptr) {
        if (!is_named) return std::nullopt;
        throw Error(ErrorKind::usage,
                    format("there is no profile \"{}\" in the shared AWS files", name))
            .with_detail(format("Files read: {}.", files.describe()));
    }
    const std::string id = profile->text("aws_access_key_id");
    const std::string role = profile->text("role_arn");
    const std::string token_file = profile->text("web_identity_token_file");
    if (!role.empty() && !token_file.empty())
        return assume_role(
            options, web_identity(options, role, token_file, profile->text("role_session_name")));
    if (!id.empty())
        return Credentials{.access_key_id = id,
                           .secret_access_key = profile->secret("aws_secret_access_key"),
                           .session_token = profile->secret("aws_session_token")};
    for (const char* unsupported : {"source_profile", "credential_source", "credential_process",
                                    "sso_session", "sso_start_url"})
        if (profile->has(unsupported))
            throw Error(
                ErrorKind::usage,
                format("profile \"{}\" uses {}, which walden does not support", name, unsupported))
                .with_hint(
                    "Use keys, a role with a web identity token file, or the credentials of the "
                    "container or the instance.");
    if (is_named && !options.profile.empty())
        throw Error(ErrorKind::usage, format("profile \"{}\" has no credentials", name));
    return std::nullopt;
}

}  // namespace

std::optional<std::string> CredentialOptions::process_environment(const std::string& name) {
    const char* value = std::getenv(name.c_str());  // nobody in this program changes it
    if (value == nullptr || *value == '\0') return std::nullopt;
    return std::string(value);
}

Credentials find_credentials(const CredentialOptions& options) {
    // A profile named in the configuration is meant, whatever the environment says.
    if (!options.profile.empty()) return checked(from_profile(options).value());
    for (const auto& source : {from_environment, from_web_identity, from_profile,
                               container_credentials, instance_credentials})
        if (auto credentials = source(options)) return checked(std::move(*credentials));
    throw Error(ErrorKind::denied, "there are no credentials for the store")
        .with_hint(
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the server's environment, or "
            "write them to ~/.aws/credentials of the user that runs this.");
}

std::string region_of(const CredentialOptions& options) {
    for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"})
        if (const auto region = options.environment(name)) return *region;
    const SharedFiles files = SharedFiles::read(options.environment);
    const Profile* profile = files.find(profile_name(options));
    return profile == nullptr ? std::string() : profile->text("region");
}

}  // namespace walden::storage::s3
