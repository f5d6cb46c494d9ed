#include "storage/s3/s3_settings.h"

#include "base/error.h"
#include "base/format.h"
#include "vault/object_storage.h"

#include <algorithm>
#include <string_view>

namespace walden::storage::s3 {

namespace {

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

/// A text that becomes a header of a request.
std::string header_text_of(const ConfigValue& value) {
    std::string text = text_of(value);
    if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~'; }))
        throw BadValue{"a text of visible ASCII characters without blanks"};
    return text;
}

std::string endpoint_of(const ConfigValue& value) {
    std::string endpoint = text_of(value);
    while (endpoint.ends_with('/')) endpoint.pop_back();
    try {
        require_valid_endpoint(endpoint);
    } catch (const Error&) {
        throw BadValue{"the address of a server: https://host or https://host:port"};
    }
    return endpoint;
}

/// "true" for the path of a URL, "false" for the name of its host.
ValueKind<std::optional<Addressing>> addressing_value() {
    return {[](const ConfigValue& value) {
                return flag_of(value) ? Addressing::path : Addressing::virtual_host;
            },
            [](const auto&) { return std::string("unset"); }};
}

ValueKind<std::uint32_t> days_value() {
    auto kind = number_value<std::uint32_t>(1, 36'500);
    kind.show = [](std::uint32_t) { return std::string("unset"); };
    return kind;
}

/// Where an S3 store is, and how it is reached.
std::vector<Setting<S3Settings>> connection_settings() {
    using S = S3Settings;
    const auto header_text = text_value(header_text_of);
    return {
        setting("endpoint", &S::endpoint, text_value(endpoint_of),
                "of an S3 store that is not AWS: https://host:port"),
        setting("region", &S::region, header_text,
                "of the S3 bucket; else AWS_REGION, the profile's, or us-east-1"),
        setting("path_style", &S::addressing, addressing_value(),
                "true: the bucket is in the path of URLs, false: in the host's name; else true "
                "with an endpoint, false on AWS"),
        setting("profile", &S::profile, text_value(),
                "profile of the shared AWS files to use, whatever else is set"),
        setting("ca_file", &S::ca_file, path_value(),
                "certificates (PEM) to trust instead of the system's"),
        setting("proxy", &S::proxy, header_text,
                "HTTP proxy; those of the environment are not used"),
        setting("connect_timeout", &S::connect_timeout, duration_value(),
                "of one connection to the S3 store"),
        setting("stall_timeout", &S::stall_timeout, duration_value(),
                "a request that moves no byte for so long has failed"),
        setting("request_timeout", &S::request_timeout, duration_value(),
                "of one request, however it goes"),
    };
}

/// How an S3 store keeps objects.
std::vector<Setting<S3Settings>> object_settings() {
    using S = S3Settings;
    const auto header_text = text_value(header_text_of);
    const auto part_size = size_value(part_size_min, vault::ObjectStorage::object_size_max);
    return {
        setting("storage_class", &S::storage_class, header_text,
                "S3 storage class of new objects; else the bucket's"),
        setting("sse", &S::sse,
                word_value<std::string>({{"AES256", "AES256"}, {"aws:kms", "aws:kms"}}),
                "encryption by the store as well: \"AES256\" or \"aws:kms\""),
        setting("sse_kms_key_id", &S::sse_kms_key_id, header_text,
                "the key of \"aws:kms\"; else the account's"),
        setting("object_lock_mode", &S::object_lock_mode,
                word_value<ObjectLockMode>({{"governance", ObjectLockMode::governance},
                                            {"compliance", ObjectLockMode::compliance}}),
                "retention of new objects: \"governance\" or \"compliance\""),
        setting("object_lock_days", &S::object_lock_days, days_value(),
                "how long new objects are retained"),
        setting("multipart_threshold", &S::multipart_threshold, part_size,
                "larger objects go to S3 in parts; \"64MiB\": none does"),
        setting("part_size", &S::part_size, part_size, "of these parts"),
        setting("concurrency", &S::concurrency, number_value<std::size_t>(1, 64),
                "parts of one object at a time"),
        setting("checksum", &S::checksum,
                word_value<Checksum>({{"crc32c", Checksum::crc32c},
                                      {"crc64nvme", Checksum::crc64nvme},
                                      {"none", Checksum::none}}),
                "that S3 verifies and keeps: \"crc32c\", \"crc64nvme\" or \"none\""),
        setting(
            "payload_hash", &S::payload_hash,
            word_value<PayloadHash>({{"always", PayloadHash::always}, {"http", PayloadHash::http}}),
            "SHA-256 of what is sent to S3: \"always\", or where the endpoint is \"http\""),
        setting("fencing", &S::fencing,
                word_value<Fencing>({{"required", Fencing::required}, {"none", Fencing::none}}),
                "\"none\" accepts an S3 store that cannot keep objects from being overwritten"),
    };
}

}  // namespace

std::vector<Setting<S3Settings>> s3_setting_table() {
    std::vector<Setting<S3Settings>> table = connection_settings();
    for (Setting<S3Settings>& setting : object_settings()) table.push_back(std::move(setting));
    return table;
}

void require_consistent(const S3Settings& settings) {
    if (!settings.sse_kms_key_id.empty() && settings.sse != "aws:kms")
        throw Error(ErrorKind::usage, "store.sse_kms_key_id needs store.sse = \"aws:kms\"");
    if ((settings.object_lock_mode == ObjectLockMode::none) != (settings.object_lock_days == 0))
        throw Error(ErrorKind::usage,
                    "store.object_lock_mode and store.object_lock_days need each other");
}

void apply_s3_url(S3Settings& settings, const std::string& url) {
    const auto refuse = [&](std::string_view why) {
        throw Error(ErrorKind::usage, format("store URL \"{}\" {}", url, why))
            .with_hint("Write s3://bucket or s3://bucket/prefix.");
    };
    if (!url.starts_with(s3_scheme)) refuse("is not of S3");
    std::string rest = url.substr(s3_scheme.size());
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
