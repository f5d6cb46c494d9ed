// What a user can set of an S3 store. Plain data: including this does not link libcurl.
#pragma once

#include "base/setting.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::storage::s3 {

enum class Fencing : std::uint8_t {
    required,  ///< every object is created by a conditional write
    none,      ///< the store cannot; somebody sees to it that there is one writer
};

/// Of the bytes, stored by S3 beside the object.
enum class Checksum : std::uint8_t { crc32c, crc64nvme, none };

enum class PayloadHash : std::uint8_t {
    always,
    http,  ///< only where TLS does not protect the bytes on their way
};

enum class Addressing : std::uint8_t { path, virtual_host };

enum class ObjectLockMode : std::uint8_t { none, governance, compliance };

struct S3Settings {
    std::string bucket;
    std::string prefix;    ///< without slashes at its ends; may be empty
    std::string endpoint;  ///< "https://host:port"; empty: AWS
    std::string region;    ///< empty: from the environment or the profile, else us-east-1
    /// Where nothing is said: virtual_host on AWS unless the bucket's name has a dot (which its
    /// certificate does not cover), path elsewhere.
    std::optional<Addressing> addressing;
    std::string profile;  ///< of the shared files; empty: AWS_PROFILE or "default"

    std::string storage_class;   ///< as S3 names it; empty: the bucket's default
    std::string sse;             ///< "AES256", "aws:kms" or empty: the bucket's default
    std::string sse_kms_key_id;  ///< empty: the account's key
    ObjectLockMode object_lock_mode = ObjectLockMode::none;
    std::uint32_t object_lock_days = 0;

    std::size_t multipart_threshold = std::size_t{16} << 20;  ///< larger objects go in parts
    std::size_t part_size = std::size_t{8} << 20;             ///< at least part_size_min
    /// Parts of one object at a time. With parts of 8 MiB the largest object goes in one round.
    std::size_t concurrency = 8;

    Checksum checksum = Checksum::crc32c;
    PayloadHash payload_hash = PayloadHash::always;
    Fencing fencing = Fencing::required;

    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds stall_timeout{20'000};
    std::chrono::milliseconds request_timeout{120'000};
    std::string ca_file;  ///< PEM; empty: those of the system
    std::string proxy;    ///< empty: none
};

/// S3's lower limit, except for the last part.
inline constexpr std::size_t part_size_min = std::size_t{5} << 20;

/// Those of [store] that are of S3, without bucket and prefix.
[[nodiscard]] std::vector<Setting<S3Settings>> s3_setting_table();

/// Throws Error(usage) if one setting lacks another that it needs.
void require_consistent(const S3Settings& settings);

inline constexpr std::string_view s3_scheme = "s3://";

/// Sets bucket and prefix from "s3://bucket/prefix". Throws Error(usage) unless the bucket's name
/// follows S3's rules and the prefix those of our keys.
void apply_s3_url(S3Settings& settings, const std::string& url);

/// Throws Error(usage) unless `endpoint` is "http://" or "https://", a host and perhaps a port.
void require_valid_endpoint(const std::string& endpoint);

}  // namespace walden::storage::s3
