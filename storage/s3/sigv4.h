// Signature Version 4, the way S3 wants it: pure functions from a request to its Authorization.
//
// Source: "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API reference.
// Unlike other services S3 neither normalises the path nor encodes it twice.
#pragma once

#include "base/bytes.h"
#include "base/secret.h"
#include "storage/http/name_value.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace walden::storage::s3 {

struct Credentials {
    std::string access_key_id;
    SecretText secret_access_key;
    SecretText session_token;  ///< empty unless they are temporary
    std::optional<std::chrono::system_clock::time_point> expires = std::nullopt;

    /// Whether a store that refused the one refuses the other.
    [[nodiscard]] bool is_same_as(const Credentials& other) const {
        return access_key_id == other.access_key_id &&
               session_token.reveal() == other.session_token.reveal();
    }
};

/// What is signed of a request. Everything as it is meant, not yet percent-encoded.
struct RequestToSign {
    std::string method;        ///< "GET"
    std::string path;          ///< "/bucket/key", UTF-8
    NameValues query;          ///< in any order
    NameValues headers;        ///< all of them are signed; "host" and "x-amz-date" are among them
    std::string payload_hash;  ///< hex of SHA-256, or "UNSIGNED-PAYLOAD"
};

struct SigningScope {
    std::string time;  ///< amz_date(), the same as in the header
    std::string region;
    std::string service = "s3";
};

/// "20130524T000000Z".
[[nodiscard]] std::string amz_date(std::chrono::system_clock::time_point time);

/// Percent-encodes all but A-Z a-z 0-9 - . _ ~ (RFC 3986's unreserved characters).
[[nodiscard]] std::string encode_query_text(std::string_view text);

/// As above, and leaves "/" as it is.
[[nodiscard]] std::string encode_path(std::string_view path);

/// "a=1&b=", sorted and encoded as it is signed; to be sent exactly so.
[[nodiscard]] std::string encode_query(const NameValues& query);

/// The text whose hash is signed; public for the tests.
[[nodiscard]] std::string canonical_request(const RequestToSign& request);

/// The value of the Authorization header. Of `credentials` only the two keys are used: a session
/// token must already be among the headers.
[[nodiscard]] std::string authorization(const RequestToSign& request,
                                        const Credentials& credentials, const SigningScope& scope);

}  // namespace walden::storage::s3
