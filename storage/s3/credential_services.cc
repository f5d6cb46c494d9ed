#include "storage/s3/credential_services.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "storage/http/http.h"
#include "storage/s3/flat_json.h"
#include "storage/s3/s3_documents.h"

#include <algorithm>
#include <array>

namespace walden::storage::s3 {

namespace {

constexpr std::size_t token_size_max = std::size_t{64} << 10;

HttpClient make_client(const CredentialOptions& options, const std::string& proxy) {
    return HttpClient({.connect_timeout = options.metadata_timeout,
                       .stall_timeout = options.metadata_timeout * 10,
                       .request_timeout = options.metadata_timeout * 10,
                       .ca_file = "",
                       .proxy = proxy});
}

/// Without the line break that an editor leaves at the end.
std::string read_token(const std::string& path) {
    std::optional<Bytes> bytes;
    try {
        bytes = read_file(path, token_size_max);
    } catch (const Error& error) {
        throw Error(ErrorKind::usage, format("token file: {}", error.message()));
    }
    if (!bytes) throw Error(ErrorKind::usage, format("there is no token file \"{}\"", path));
    const ZeroOnExit zero(*bytes);
    std::string token(as_text(*bytes));
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
    const bool is_sound = !token.empty() && std::all_of(token.begin(), token.end(), [](char c) {
        return c >= ' ' && c <= '~';
    });
    if (!is_sound) throw Error(ErrorKind::usage, format("token file \"{}\" has no token", path));
    return token;
}

/// The answer's status alone: a body may hold what it refused.
[[noreturn]] void refuse(std::string_view service, int status) {
    const bool may_pass = status >= 500 || status == 429 || status == 408;
    throw Error(may_pass ? ErrorKind::unavailable : ErrorKind::denied,
                format("{} gives no credentials: status {}", service, status));
}

/// The JSON that the container's and the instance's endpoint have in common.
Credentials credentials_in(ByteView body, std::string_view service) {
    const auto members = parse_flat_json(as_text(body));
    const auto text = [&](const char* name) {
        const auto found = members->find(name);
        return found == members->end() ? std::string() : found->second;
    };
    if (!members || text("AccessKeyId").empty() || text("SecretAccessKey").empty())
        throw Error(ErrorKind::unavailable, format("{} answers without credentials", service));
    Credentials credentials{.access_key_id = text("AccessKeyId"),
                            .secret_access_key = SecretText(text("SecretAccessKey")),
                            .session_token = SecretText(text("Token"))};
    const std::string expiration = text("Expiration");
    credentials.expires = parse_iso_time(expiration);
    if (!expiration.empty() && !credentials.expires)
        throw Error(ErrorKind::unavailable,
                    format("{} answers with an expiration that is no time", service));
    return credentials;
}

/// The host of "http://host:port/path", brackets of IPv6 included; empty if there is none.
std::string host_of(const std::string& url) {
    const std::size_t scheme = url.find("://");
    if (scheme == std::string::npos) return "";
    const std::string authority =
        url.substr(scheme + 3, url.find_first_of("/?#", scheme + 3) - scheme - 3);
    // "user@host" could hide the real host behind one that is allowed.
    if (authority.find_first_of("@\\") != std::string::npos) return "";
    if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
    return authority.substr(0, authority.find(':'));
}

bool is_loopback_address(const std::string& host) {
    if (!host.starts_with("127.")) return false;
    return std::count(host.begin(), host.end(), '.') == 3 &&
           std::all_of(host.begin(), host.end(),
                       [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

void require_allowed_host(const std::string& url) {
    constexpr std::array<std::string_view, 5> known = {"localhost", "[::1]", "169.254.170.2",
                                                       "169.254.170.23", "[fd00:ec2::23]"};
    const std::string host = host_of(url);
    const bool is_known = std::find(known.begin(), known.end(), host) != known.end();
    if (!host.empty() && url.starts_with("https://")) return;
    if (url.starts_with("http://") && (is_known || is_loopback_address(host))) return;
    throw Error(ErrorKind::usage,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI names a host that may not be asked")
        .with_detail(
            "Over http only this host, 169.254.170.2, 169.254.170.23 and [fd00:ec2::23] are "
            "allowed.");
}

std::optional<std::string> container_url(const CredentialOptions& options) {
    if (const auto path = options.environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")) {
        if (!path->starts_with('/'))
            throw Error(ErrorKind::usage,
                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash");
        return options.container_url + *path;
    }
    const auto url = options.environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (url) require_allowed_host(*url);
    return url;
}

std::string sts_url(const CredentialOptions& options, const std::string& region) {
    if (const auto url = options.environment("AWS_ENDPOINT_URL_STS")) return *url;
    const std::string place = region.empty() ? "us-east-1" : region;
    return format("https://sts.{}.amazonaws.com{}", place, place.starts_with("cn-") ? ".cn" : "");
}

}  // namespace

Credentials assume_role(const CredentialOptions& options, const WebIdentity& identity) {
    // In the body: URLs end up in logs.
    const std::string form = format(
        "Action=AssumeRoleWithWebIdentity&RoleArn={}&RoleSessionName={}&Version=2011-06-15&"
        "WebIdentityToken={}",
        encode_query_text(identity.role_arn), encode_query_text(identity.session_name),
        encode_query_text(read_token(identity.token_file)));
    HttpClient client = make_client(options, options.proxy);
    const HttpResponse response =
        client.perform({.method = "POST",
                        .url = sts_url(options, identity.region) + "/",
                        .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                        .body = as_bytes(form)});
    if (response.status != 200) {
        const auto error = read_error(response.body);
        if (!error || error->code.empty()) refuse("STS", response.status);
        throw Error(
            response.status >= 500 || error->code == "IDPCommunicationError"
                ? ErrorKind::unavailable
                : ErrorKind::denied,
            format("STS gives no credentials for role {}: {}", identity.role_arn, error->code));
    }
    const auto role = read_assumed_role(response.body);
    const auto expires = role ? parse_iso_time(role->expiration) : std::nullopt;
    if (!role || !expires) throw Error(ErrorKind::unavailable, "STS answers without credentials");
    return {.access_key_id = role->access_key_id,
            .secret_access_key = SecretText(role->secret_access_key),
            .session_token = SecretText(role->session_token),
            .expires = expires};
}

std::optional<Credentials> container_credentials(const CredentialOptions& options) {
    const auto url = container_url(options);
    if (!url) return std::nullopt;
    HttpRequest request{.method = "GET", .url = *url, .headers = {}};
    if (const auto file = options.environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
        request.headers.push_back({"Authorization", read_token(*file)});
    } else if (const auto token = options.environment("AWS_CONTAINER_AUTHORIZATION_TOKEN")) {
        if (token->find_first_of("\r\n") != std::string::npos)
            throw Error(ErrorKind::usage, "AWS_CONTAINER_AUTHORIZATION_TOKEN has several lines");
        request.headers.push_back({"Authorization", *token});
    }
    HttpClient client = make_client(options, "");
    const HttpResponse response = client.perform(request);
    if (response.status != 200) refuse("the container's endpoint", response.status);
    return credentials_in(response.body, "the container's endpoint");
}

std::optional<Credentials> instance_credentials(const CredentialOptions& options) {
    constexpr std::string_view service = "the instance metadata service";
    const std::string disabled = options.environment("AWS_EC2_METADATA_DISABLED").value_or("");
    if (disabled == "true" || disabled == "TRUE" || disabled == "True") return std::nullopt;
    const std::string base =
        options.environment("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or(options.metadata_url);
    HttpClient client = make_client(options, "");
    HttpResponse token;
    try {
        token = client.perform({.method = "PUT",
                                .url = base + "/latest/api/token",
                                .headers = {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}}});
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::unavailable) throw;
        return std::nullopt;  // not on EC2
    }
    if (token.status != 200) refuse(service, token.status);
    if (as_text(token.body).find_first_of("\r\n") != std::string_view::npos)
        throw Error(ErrorKind::unavailable, format("{} gives no token", service));
    const NameValues headers = {{"X-aws-ec2-metadata-token", std::string(as_text(token.body))}};
    const std::string url = base + "/latest/meta-data/iam/security-credentials/";
    const HttpResponse roles = client.perform({.method = "GET", .url = url, .headers = headers});
    if (roles.status == 404) return std::nullopt;  // the instance has no role
    if (roles.status != 200) refuse(service, roles.status);
    const std::string_view list = as_text(roles.body);
    const std::string role(list.substr(0, list.find_first_of("\r\n")));
    const HttpResponse answer =
        client.perform({.method = "GET", .url = url + encode_query_text(role), .headers = headers});
    if (answer.status != 200) refuse(service, answer.status);
    return credentials_in(answer.body, service);
}

}  // namespace walden::storage::s3
