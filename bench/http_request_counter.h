// Reads along what an HTTP client sends, to count its requests by what they are.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace walden::bench {

/// "PUT", "GET", "HEAD", "POST", "DELETE" as they are; "LIST" for a GET that lists a bucket's
/// objects or its unfinished uploads; "unreadable" for a connection that holds something else
/// (TLS).
using RequestCounts = std::map<std::string, std::uint64_t, std::less<>>;

/// One connection, in the direction from the client. One thread at a time.
class HttpRequestCounter {
public:
    /// The next bytes of the connection, cut anywhere. Adds to `counts` what begins in them.
    void read(std::string_view bytes, RequestCounts& counts);

private:
    void finish_head(RequestCounts& counts);

    std::string head_;             ///< of the request that is arriving
    std::uint64_t body_left_ = 0;  ///< bytes to pass over
    bool is_readable_ = true;      ///< no more once something was not understood
};

}  // namespace walden::bench
