// One signed request to a bucket, and the few corrections that a client may make by itself.
#pragma once

#include "base/guarded.h"
#include "storage/http/http.h"
#include "storage/s3/credentials.h"
#include "storage/s3/s3_documents.h"
#include "storage/s3/s3_settings.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace walden::storage::s3 {

enum class Operation : std::uint8_t {
    put_object,
    get_object,
    head_object,
    head_bucket,
    list,
    delete_object,
    delete_batch,
    create_upload,
    upload_part,
    complete_upload,
    abort_upload,
    list_uploads,
    list_parts,
};

inline constexpr std::size_t operation_count = 13;

/// "put_object".
[[nodiscard]] std::string_view to_string(Operation operation);

/// Since the client was made. Requests count attempts on the wire, corrections included.
struct S3Statistics {
    std::array<std::uint64_t, operation_count> request_counts{};  ///< by Operation
    std::uint64_t connection_count = 0;                           ///< opened
    std::uint64_t correction_count = 0;  ///< of clock, region and credentials

    [[nodiscard]] std::uint64_t requests(Operation operation) const {
        return request_counts[static_cast<std::size_t>(operation)];
    }
};

struct S3Request {
    Operation operation = Operation::get_object;
    std::string_view method = "GET";
    std::string key{};  ///< the whole one, prefix included; empty: the bucket itself
    NameValues query{};
    NameValues headers{};
    ByteView body{};
    std::size_t answer_size_max = std::size_t{1} << 20;
};

/// Safe from several threads.
class S3Client {
public:
    using Clock = std::function<TimePoint()>;

    /// Throws Error(usage) for settings that cannot be used. `credentials` may be shared.
    S3Client(S3Settings settings, std::shared_ptr<CredentialProvider> credentials,
             Clock now = std::chrono::system_clock::now);

    /// The answer, whatever its status. Corrected once each, by sending the request again:
    ///   RequestTimeTooSkewed  by the server's Date, for all requests from then on
    ///   another region        named by x-amz-bucket-region or the error document, likewise
    ///   ExpiredToken          by credentials that were loaded anew
    /// Redirects are not followed otherwise. Throws what HttpClient and CredentialProvider throw.
    HttpResponse exchange(const S3Request& request, Bytes out = {});

    [[nodiscard]] const S3Settings& settings() const { return settings_; }

    [[nodiscard]] S3Statistics statistics() const;

    /// The time by the server's clock, as far as it is known.
    [[nodiscard]] TimePoint server_time() const;

private:
    /// Where requests go; changed by a redirect to another region.
    struct Place {
        std::string base_url;     ///< "https://bucket.s3.eu-west-1.amazonaws.com"
        std::string host;         ///< as in the Host header
        std::string path_prefix;  ///< "/bucket" or ""
        std::string region;
    };

    /// Which corrections this exchange has already had.
    struct Corrections {
        bool clock = false;
        bool region = false;
        bool credentials = false;
    };

    [[nodiscard]] Place place_for(const std::string& region) const;
    [[nodiscard]] Place current_place();
    [[nodiscard]] HttpRequest sign(const S3Request& request, const Credentials& credentials);
    [[nodiscard]] bool correct(const HttpResponse& response, const S3Request& request,
                               const Credentials& used, Corrections& done);
    [[nodiscard]] bool correct_clock(const HttpResponse& response, const ErrorDocument& error);
    [[nodiscard]] bool correct_region(const HttpResponse& response, const ErrorDocument& error);

    S3Settings settings_;
    std::shared_ptr<CredentialProvider> credentials_;
    Clock now_;
    HttpClient http_;
    Guarded<Place> place_;
    std::atomic<std::int64_t> clock_offset_seconds_{0};
    std::array<std::atomic<std::uint64_t>, operation_count> request_counts_{};
    std::atomic<std::uint64_t> correction_count_{0};
};

}  // namespace walden::storage::s3
