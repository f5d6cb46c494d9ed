#include "storage/s3/s3_settings.h"

#include "base/error.h"
#include "base/format.h"
#include "vault/object_storage.h"

#include <algorithm>
#include <string_view>

namespace walden::storage::s3 {

namespace {

constexpr std::string_view scheme = "s3://";

/// Half of what a key may have here, so that ours, below the prefix, stay within S3's 1024.
constexpr std::size_t prefix_size_max = 256;

bool is_bucket_name(std::string_view name) {
    const auto is_letter_or_digit = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    };
    // Capitals and "_" are in old buckets and in other stores.
    return name.size() >= 3 && name.size() <= 63 && name.find("..") == std::string_view::npos &&
           std::all_of(name.begin(), name.end(),
                       [&](char c) {
                           return is_letter_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' ||
                                  c == '.' || c == '_';
                       }) &&
           name.front() != '.' && name.back() != '.' && name.front() != '-';
}

}  // namespace

bool is_s3_url(const std::string& url) {
    return url.starts_with(scheme);
}

void apply_s3_url(S3Settings& settings, const std::string& url) {
    const auto refuse = [&](std::string_view why) {
        throw Error(ErrorKind::usage, format("store URL \"{}\" {}", url, why))
            .with_hint("Write s3://bucket or s3://bucket/prefix.");
    };
    if (!is_s3_url(url)) refuse("is not of S3");
    std::string rest = url.substr(scheme.size());
    while (!rest.empty() && rest.back() == '/') rest.pop_back();
    const std::size_t slash = rest.find('/');
    settings.bucket = rest.substr(0, slash);
    settings.prefix = slash == std::string::npos ? "" : rest.substr(slash + 1);
    if (!is_bucket_name(settings.bucket)) refuse("names no bucket");
    if (!settings.prefix.empty() &&
        (settings.prefix.size() > prefix_size_max || !vault::is_valid_key(settings.prefix)))
        refuse("has a prefix that cannot be used: A-Z a-z 0-9 / _ . - in at most 256 characters");
}

void require_valid_endpoint(const std::string& endpoint) {
    std::string_view rest = endpoint;
    for (const std::string_view start : {"http://", "https://"})
        if (rest.starts_with(start)) rest.remove_prefix(start.size());
    const bool has_scheme = rest.size() != endpoint.size();
    const bool is_host = !rest.empty() && std::all_of(rest.begin(), rest.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-._:[]").find(c) != std::string_view::npos;
    });
    if (has_scheme && is_host) return;
    throw Error(ErrorKind::usage,
                format("endpoint \"{}\" is not the address of a server", endpoint))
        .with_hint("Write https://host or https://host:port, without a path.");
}

}  // namespace walden::storage::s3
