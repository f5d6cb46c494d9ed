#include "storage/http/http.h"

#include "base/error.h"
#include "base/format.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace walden::storage {

namespace {

constexpr std::size_t header_size_max = std::size_t{64} << 10;

/// What libcurl is asked to read and write at once. With its default of 16 KiB a 16 MiB object is a
/// thousand system calls.
constexpr long transfer_buffer_size = 512L << 10;

void start_curl() {
    // Never ended: threads may use it until the process ends.
    static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (started != CURLE_OK) throw Error(ErrorKind::io, "cannot initialise libcurl");
}

struct FreeList {
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

using HeaderList = std::unique_ptr<curl_slist, FreeList>;

void append_line(HeaderList& list, const std::string& line) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(list.release());  // `longer` begins with it
    list.reset(longer);
}

/// What the callbacks of one request fill.
struct Exchange {
    HttpResponse response;
    std::size_t header_size = 0;
    std::size_t answer_size_max = 0;
    bool is_header_too_long = false;
    bool is_body_too_long = false;
    bool is_out_of_memory = false;
};

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
}

std::string_view trimmed(std::string_view text) {
    const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

void take_header_line(Exchange& exchange, std::string_view line) {
    if (line.starts_with("HTTP/")) {  // what came before belonged to a 1xx
        exchange.response.headers.clear();
        return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string name = lower_case(trimmed(line.substr(0, colon)));
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (name == "content-length") {
        const auto size = parse_number(value);
        // In one piece from the start, but never more than is allowed: the number is only a claim.
        if (size && *size <= exchange.answer_size_max)
            exchange.response.body.reserve(static_cast<std::size_t>(*size));
    }
    exchange.response.headers.push_back({name, std::string(value)});
}

// No exception may pass through libcurl: a short count ends the transfer.
std::size_t receive_header(char* data, std::size_t, std::size_t size, void* user) noexcept {
    auto& exchange = *static_cast<Exchange*>(user);
    exchange.header_size += size;
    if (exchange.header_size > header_size_max) {
        exchange.is_header_too_long = true;
        return 0;
    }
    try {
        take_header_line(exchange, {data, size});
    } catch (...) {
        exchange.is_out_of_memory = true;
        return 0;
    }
    return size;
}

std::size_t receive_body(char* data, std::size_t, std::size_t size, void* user) noexcept {
    auto& exchange = *static_cast<Exchange*>(user);
    Bytes& body = exchange.response.body;
    if (size > exchange.answer_size_max - body.size()) {
        exchange.is_body_too_long = true;
        return 0;
    }
    try {
        append(body, as_bytes({data, size}));
    } catch (...) {
        exchange.is_out_of_memory = true;
        return 0;
    }
    return size;
}

template <class Value>
void set(CURL* curl, CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(curl, option, value);
    if (code != CURLE_OK)
        throw Error(ErrorKind::usage,
                    format("cannot set up an HTTP request: {}", curl_easy_strerror(code)));
}

ErrorKind kind_of(CURLcode code) {
    switch (static_cast<int>(code)) {
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_URL_MALFORMAT:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_NOT_BUILT_IN: return ErrorKind::usage;
        case CURLE_PEER_FAILED_VERIFICATION: return ErrorKind::denied;
        default: return ErrorKind::unavailable;
    }
}

/// "https://host:port" of a URL: the rest may hold a bucket's contents.
std::string_view server_of(std::string_view url) {
    const std::size_t scheme = url.find("://");
    if (scheme == std::string_view::npos) return url;
    return url.substr(0, url.find_first_of("/?", scheme + 3));
}

/// What a person may have got wrong in the address. Whoever reads it knows the settings as endpoint
/// and ca_file.
std::string_view hint_for(CURLcode code, std::string_view url) {
    const bool is_tls = url.starts_with("https://");
    switch (static_cast<int>(code)) {
        case CURLE_PEER_FAILED_VERIFICATION:
            return "If the server has a certificate of its own, name the authority that signed it "
                   "in ca_file.";
        case CURLE_COULDNT_RESOLVE_HOST: return "Check the host's name in endpoint, and region.";
        case CURLE_COULDNT_CONNECT: return "Nobody listens there: check host and port in endpoint.";
        case CURLE_GOT_NOTHING:
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_RECV_ERROR:
            return is_tls ? "" : "If this port speaks TLS, endpoint begins with https://.";
        case CURLE_SSL_CONNECT_ERROR:
            return "If this port speaks plain HTTP, endpoint begins with http://.";
        default: return "";
    }
}

}  // namespace

struct HttpClient::Handle {
    CURL* curl = nullptr;
    char error_text[CURL_ERROR_SIZE] = {};

    Handle() : curl(curl_easy_init()) {
        if (curl == nullptr) throw std::bad_alloc();
    }

    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    ~Handle() { curl_easy_cleanup(curl); }

    /// What is the same for all requests.
    void prepare(const HttpSettings& settings);
    void describe(const HttpRequest& request, const HeaderList& headers);
    [[noreturn]] void fail(CURLcode code, const HttpRequest& request, const Exchange& exchange);
};

void HttpClient::Handle::prepare(const HttpSettings& settings) {
    const auto seconds_up = [](std::chrono::milliseconds time) {
        return static_cast<long>((time.count() + 999) / 1000);
    };
    set(curl, CURLOPT_ERRORBUFFER, error_text);
    set(curl, CURLOPT_NOSIGNAL, 1L);
    set(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings.connect_timeout.count()));
    set(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(settings.request_timeout.count()));
    set(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(curl, CURLOPT_LOW_SPEED_TIME, seconds_up(settings.stall_timeout));
    set(curl, CURLOPT_FOLLOWLOCATION, 0L);
    set(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    set(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(curl, CURLOPT_PATH_AS_IS, 1L);
    set(curl, CURLOPT_TCP_NODELAY, 1L);
    set(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    set(curl, CURLOPT_TCP_KEEPIDLE, 30L);
    set(curl, CURLOPT_TCP_KEEPINTVL, 10L);
    set(curl, CURLOPT_BUFFERSIZE, transfer_buffer_size);
    set(curl, CURLOPT_UPLOAD_BUFFERSIZE, transfer_buffer_size);
    set(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    set(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    set(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!settings.ca_file.empty()) set(curl, CURLOPT_CAINFO, settings.ca_file.c_str());
    set(curl, CURLOPT_PROXY, settings.proxy.c_str());
    set(curl, CURLOPT_HEADERFUNCTION, receive_header);
    set(curl, CURLOPT_WRITEFUNCTION, receive_body);
}

void HttpClient::Handle::describe(const HttpRequest& request, const HeaderList& headers) {
    set(curl, CURLOPT_URL, request.url.c_str());
    set(curl, CURLOPT_HTTPHEADER, headers.get());
    set(curl, CURLOPT_CUSTOMREQUEST, nullptr);
    if (request.method == "GET") {
        set(curl, CURLOPT_HTTPGET, 1L);
        return;
    }
    if (request.method == "HEAD") {
        set(curl, CURLOPT_NOBODY, 1L);
        return;
    }
    if (request.method == "DELETE" && request.body.empty()) {
        set(curl, CURLOPT_HTTPGET, 1L);
        set(curl, CURLOPT_CUSTOMREQUEST, "DELETE");
        return;
    }
    // libcurl sends a small body in one packet with the header, and rewinds by itself where a kept
    // connection turns out to be dead.
    set(curl, CURLOPT_POST, 1L);
    set(curl, CURLOPT_POSTFIELDS,
        request.body.empty() ? static_cast<const void*>("")
                             : static_cast<const void*>(request.body.data()));
    set(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void HttpClient::Handle::fail(CURLcode code, const HttpRequest& request, const Exchange& exchange) {
    const std::string_view server = server_of(request.url);
    if (exchange.is_out_of_memory) throw std::bad_alloc();
    if (exchange.is_header_too_long)
        throw Error(ErrorKind::corrupt, format("{} answered with a header of more than {} bytes",
                                               server, header_size_max));
    if (exchange.is_body_too_long)
        throw Error(ErrorKind::corrupt, format("{} answered with more than the {} bytes allowed",
                                               server, exchange.answer_size_max));
    const std::string_view detail = error_text[0] != '\0' ? error_text : curl_easy_strerror(code);
    throw Error(kind_of(code), format("{} {}: {}", request.method, server, trimmed(detail)))
        .with_hint(std::string(hint_for(code, request.url)));
}

/// A handle taken from the idle ones, and given back when its request is over.
class HttpClient::Lease {
public:
    explicit Lease(HttpClient& client) : client_(client) {
        handle_ = client_.idle_.with([](auto& idle) -> std::unique_ptr<Handle> {
            if (idle.empty()) return nullptr;
            // The one used last has the connection that is most likely still open.
            std::unique_ptr<Handle> newest = std::move(idle.back());
            idle.pop_back();
            return newest;
        });
        if (!handle_) {
            handle_ = std::make_unique<Handle>();
            handle_->prepare(client_.settings_);
        }
    }

    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    ~Lease() {
        try {
            client_.idle_.with([&](auto& idle) { idle.push_back(std::move(handle_)); });
        } catch (const std::bad_alloc&) {
            handle_.reset();  // one connection less is kept
        }
    }

    Handle& operator*() { return *handle_; }

private:
    HttpClient& client_;
    std::unique_ptr<Handle> handle_;
};

HttpClient::HttpClient(HttpSettings settings) : settings_(std::move(settings)) {
    start_curl();
}

HttpClient::~HttpClient() = default;

HttpResponse HttpClient::perform(const HttpRequest& request, Bytes out) {
    Lease lease(*this);
    Handle& handle = *lease;
    HeaderList headers;
    for (const NameValue& header : request.headers)
        // libcurl's way to send a header without a value, which "name:" would take away.
        append_line(headers,
                    header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
    // What libcurl would add of its own: unsigned, and a wait of a second for 100 Continue.
    append_line(headers, "Expect:");
    append_line(headers, "Accept:");
    if (std::none_of(request.headers.begin(), request.headers.end(), [](const NameValue& header) {
            return lower_case(header.name) == "content-type";
        }))
        append_line(headers, request.body.empty() ? "Content-Type:"
                                                  : "Content-Type: application/octet-stream");

    Exchange exchange;
    exchange.response.body = std::move(out);
    exchange.response.body.clear();
    exchange.answer_size_max = request.answer_size_max;
    handle.describe(request, headers);
    set(handle.curl, CURLOPT_HEADERDATA, &exchange);
    set(handle.curl, CURLOPT_WRITEDATA, &exchange);
    handle.error_text[0] = '\0';

    ++request_count_;
    const CURLcode code = curl_easy_perform(handle.curl);
    long status = 0, connections = 0;
    curl_easy_getinfo(handle.curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(handle.curl, CURLINFO_NUM_CONNECTS, &connections);
    connection_count_ += static_cast<std::uint64_t>(connections);
    // Nothing that goes with this call may be reachable from the handle that is kept.
    curl_easy_setopt(handle.curl, CURLOPT_HTTPHEADER, nullptr);
    curl_easy_setopt(handle.curl, CURLOPT_POSTFIELDS, nullptr);
    if (code != CURLE_OK) handle.fail(code, request, exchange);
    exchange.response.status = static_cast<int>(status);
    return std::move(exchange.response);
}

HttpCounts HttpClient::counts() const {
    return {.request_count = request_count_, .connection_count = connection_count_};
}

std::string_view HttpResponse::header(std::string_view name) const {
    for (const NameValue& candidate : headers)
        if (candidate.name == name) return candidate.value;
    return {};
}

bool HttpResponse::has_known_length() const {
    return !header("content-length").empty() ||
           lower_case(header("transfer-encoding")).find("chunked") != std::string::npos;
}

std::optional<std::chrono::system_clock::time_point> parse_http_date(const std::string& text) {
    const std::time_t seconds = curl_getdate(text.c_str(), nullptr);
    if (text.empty() || seconds == -1) return std::nullopt;
    return std::chrono::system_clock::from_time_t(seconds);
}

std::optional<std::chrono::milliseconds> retry_after_of(const HttpResponse& response) {
    constexpr std::chrono::milliseconds longest = std::chrono::hours(24);
    const std::string text(response.header("retry-after"));
    if (text.empty()) return std::nullopt;
    if (const auto seconds = parse_number(text))
        return std::chrono::seconds(std::min<std::uint64_t>(*seconds, 86'400));
    const auto date = parse_http_date(text);
    if (!date) return std::nullopt;
    // Against the server's own clock where it tells: ours may be wrong.
    const auto now = parse_http_date(std::string(response.header("date")))
                         .value_or(std::chrono::system_clock::now());
    const auto delay = std::chrono::duration_cast<std::chrono::milliseconds>(*date - now);
    return std::clamp(delay, std::chrono::milliseconds(0), longest);
}

}  // namespace walden::storage
