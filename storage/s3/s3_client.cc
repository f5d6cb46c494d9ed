#include "storage/s3/s3_client.h"

#include "base/error.h"
#include "base/format.h"
#include "crypto/digest.h"
#include "storage/s3/s3_error.h"

#include <algorithm>
#include <cstdlib>

namespace walden::storage::s3 {

namespace {

/// S3 tolerates 15 minutes; a HEAD is refused without saying why, so from here on the clock is
/// suspected.
constexpr std::int64_t skew_suspected_seconds = 14 * 60;

bool is_region_name(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    });
}

/// "s3.eu-west-1.amazonaws.com", of the partition that the region belongs to.
std::string aws_host(const std::string& region) {
    return format("s3.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "");
}

/// As libcurl and the server write it: without the port that the scheme implies.
std::string host_header(std::string_view scheme, std::string host) {
    const std::string_view implied = scheme == "https://" ? ":443" : ":80";
    if (host.ends_with(implied)) host.resize(host.size() - implied.size());
    return host;
}

HttpSettings http_settings(const S3Settings& settings) {
    return {.connect_timeout = settings.connect_timeout,
            .stall_timeout = settings.stall_timeout,
            .request_timeout = settings.request_timeout,
            .ca_file = settings.ca_file,
            .proxy = settings.proxy};
}

}  // namespace

std::string_view to_string(Operation operation) {
    constexpr std::array<std::string_view, operation_count> names = {
        "put_object",    "get_object",   "head_object",   "head_bucket", "list",
        "delete_object", "delete_batch", "create_upload", "upload_part", "complete_upload",
        "abort_upload",  "list_uploads", "list_parts"};
    return names[static_cast<std::size_t>(operation)];
}

S3Client::S3Client(S3Settings settings, std::shared_ptr<CredentialProvider> credentials, Clock now)
    : settings_(std::move(settings)),
      credentials_(std::move(credentials)),
      now_(std::move(now)),
      http_(http_settings(settings_)) {
    if (settings_.region.empty()) settings_.region = "us-east-1";
    if (!is_region_name(settings_.region))
        throw Error(ErrorKind::usage, format("\"{}\" is not a region", settings_.region));
    if (!settings_.endpoint.empty()) require_valid_endpoint(settings_.endpoint);
    place_.with([&](Place& place) { place = place_for(settings_.region); });
}

S3Client::Place S3Client::place_for(const std::string& region) const {
    const bool is_aws = settings_.endpoint.empty();
    const std::string endpoint = is_aws ? "https://" + aws_host(region) : settings_.endpoint;
    const std::string scheme = endpoint.substr(0, endpoint.find("://") + 3);
    const std::string server = endpoint.substr(scheme.size());
    const bool has_dot = settings_.bucket.find('.') != std::string::npos;
    const Addressing addressing = settings_.addressing.value_or(
        is_aws && !has_dot ? Addressing::virtual_host : Addressing::path);
    const bool is_path = addressing == Addressing::path;
    const std::string full = is_path ? server : settings_.bucket + "." + server;
    return {.base_url = scheme + full,
            .host = host_header(scheme, full),
            .path_prefix = is_path ? "/" + settings_.bucket : "",
            .region = region};
}

S3Client::Place S3Client::current_place() {
    return place_.with([](const Place& place) { return place; });
}

TimePoint S3Client::server_time() const {
    return now_() + std::chrono::seconds(clock_offset_seconds_);
}

HttpRequest S3Client::sign(const S3Request& request, const Credentials& credentials) {
    const Place place = current_place();
    const bool is_encrypted = place.base_url.starts_with("https://");
    const bool is_hashed =
        settings_.payload_hash == PayloadHash::always || !is_encrypted || request.body.empty();
    RequestToSign signing{
        .method = std::string(request.method),
        .path =
            request.key.empty() ? place.path_prefix + "/" : place.path_prefix + "/" + request.key,
        .query = request.query,
        .headers = request.headers,
        .payload_hash = is_hashed ? to_hex(crypto::sha256(request.body)) : "UNSIGNED-PAYLOAD"};
    const SigningScope scope{.time = amz_date(server_time()), .region = place.region};
    signing.headers.push_back({"host", place.host});
    signing.headers.push_back({"x-amz-content-sha256", signing.payload_hash});
    signing.headers.push_back({"x-amz-date", scope.time});
    if (!credentials.session_token.empty())
        signing.headers.push_back(
            {"x-amz-security-token", std::string(credentials.session_token.reveal())});
    HttpRequest http{.method = signing.method,
                     .url = place.base_url + encode_path(signing.path),
                     .headers = signing.headers,
                     .body = request.body,
                     .answer_size_max = request.answer_size_max};
    if (!request.query.empty()) http.url += "?" + encode_query(request.query);
    http.headers.push_back({"Authorization", authorization(signing, credentials, scope)});
    return http;
}

HttpResponse S3Client::exchange(const S3Request& request, Bytes out) {
    Corrections done;
    for (;;) {
        const std::shared_ptr<const Credentials> credentials = credentials_->current();
        const HttpRequest http = sign(request, *credentials);
        ++request_counts_[static_cast<std::size_t>(request.operation)];
        HttpResponse response = http_.perform(http, std::move(out));
        if (response.status < 300 || !correct(response, request, *credentials, done))
            return response;
        ++correction_count_;
        out = std::move(response.body);
    }
}

/// Whether the request is worth sending once more, now that something has been set right.
bool S3Client::correct(const HttpResponse& response, const S3Request& request,
                       const Credentials& used, Corrections& done) {
    const ErrorDocument error = error_document_of(response);
    const bool is_silent = request.method == "HEAD";
    if (!done.clock &&
        (error.code == "RequestTimeTooSkewed" || (is_silent && response.status == 403))) {
        done.clock = true;
        if (correct_clock(response, error)) return true;
    }
    if (!done.region && (response.status == 301 || response.status == 307 ||
                         response.status == 400 || error.code == "AuthorizationHeaderMalformed")) {
        done.region = true;
        if (correct_region(response, error)) return true;
    }
    if (!done.credentials &&
        (error.code == "ExpiredToken" || error.code == "TokenRefreshRequired" ||
         (is_silent && response.status == 400 && !used.session_token.empty()))) {
        done.credentials = true;
        return credentials_->replace(used);
    }
    return false;
}

bool S3Client::correct_clock(const HttpResponse& response, const ErrorDocument& error) {
    const auto date = parse_http_date(std::string(response.header("date")));
    if (!date) return false;
    const std::int64_t offset =
        std::chrono::duration_cast<std::chrono::seconds>(*date - now_()).count();
    const std::int64_t change = std::abs(offset - clock_offset_seconds_);
    // The same offset would be refused again.
    if (change < (error.code.empty() ? skew_suspected_seconds : 2)) return false;
    clock_offset_seconds_ = offset;
    return true;
}

bool S3Client::correct_region(const HttpResponse& response, const ErrorDocument& error) {
    std::string region(response.header("x-amz-bucket-region"));
    if (region.empty()) region = error.region;
    if (!is_region_name(region)) return false;
    return place_.with([&](Place& place) {
        if (place.region == region) return false;
        place = place_for(region);
        return true;
    });
}

S3Statistics S3Client::statistics() const {
    S3Statistics statistics;
    for (std::size_t i = 0; i < operation_count; ++i)
        statistics.request_counts[i] = request_counts_[i];
    statistics.connection_count = http_.counts().connection_count;
    statistics.correction_count = correction_count_;
    return statistics;
}

}  // namespace walden::storage::s3
