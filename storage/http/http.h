// The one door to libcurl: one HTTP request, one answer, on connections that are kept.
#pragma once

#include "base/bytes.h"
#include "base/guarded.h"
#include "storage/http/name_value.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::storage {

struct HttpSettings {
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds stall_timeout{20'000};  ///< without a byte; rounded up to seconds
    std::chrono::milliseconds request_timeout{120'000};
    std::string ca_file;  ///< PEM; empty: those of the system
    std::string proxy;    ///< "http://host:port"; empty: none, whatever the environment says
};

struct HttpRequest {
    std::string method = "GET";
    std::string url;  ///< encoded already; sent exactly so
    NameValues headers;
    ByteView body{};  ///< must live until the answer is there
    /// More of a body than this is an error, whatever the status.
    std::size_t answer_size_max = std::size_t{1} << 20;
};

struct HttpResponse {
    int status = 0;
    NameValues headers;  ///< names in lower case, in the order of arrival
    Bytes body;          ///< complete: as long as announced

    /// The first header of that name (in lower case); empty if there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const;

    /// Whether the answer said how long it is, so that a truncated one was noticed.
    [[nodiscard]] bool has_known_length() const;
};

struct HttpCounts {
    std::uint64_t request_count = 0;
    std::uint64_t connection_count = 0;  ///< opened, not open
};

/// Safe from several threads: each request in flight has a handle, and so a connection, of its own;
/// handles are kept and reused. Redirects are answers like others. Cookies, netrc and environment
/// are ignored.
class HttpClient {
public:
    explicit HttpClient(HttpSettings settings);
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;
    ~HttpClient();

    /// One attempt, except that a kept connection which the server has closed meanwhile is
    /// replaced. `out` gives the body its memory: its capacity is reused. Throws Error:
    ///   unavailable  no connection, no complete answer in time; whether the request had its effect
    ///                is unknown
    ///   denied       the server's certificate is not trusted
    ///   usage        URL or CA file not usable
    ///   corrupt      header fields of more than 64 KiB, or a body larger than allowed
    HttpResponse perform(const HttpRequest& request, Bytes out = {});

    [[nodiscard]] HttpCounts counts() const;

private:
    struct Handle;
    class Lease;

    HttpSettings settings_;
    Guarded<std::vector<std::unique_ptr<Handle>>> idle_;
    std::atomic<std::uint64_t> request_count_{0};
    std::atomic<std::uint64_t> connection_count_{0};
};

/// A date as in HTTP's Date header (RFC 9110, 5.6.7); nullopt if it is none.
[[nodiscard]] std::optional<std::chrono::system_clock::time_point> parse_http_date(
    const std::string& text);

/// Retry-After: seconds or a date (RFC 9110, 10.2.3), at most a day; nullopt if absent or neither.
[[nodiscard]] std::optional<std::chrono::milliseconds> retry_after_of(const HttpResponse& response);

}  // namespace walden::storage
