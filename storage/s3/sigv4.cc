#include "storage/s3/sigv4.h"

#include "base/format.h"
#include "crypto/digest.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <map>

namespace walden::storage::s3 {

namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

bool is_unreserved(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

std::string percent_encode(std::string_view text, std::string_view kept) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (is_unreserved(c) || kept.find(c) != std::string_view::npos) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += digits[byte >> 4];
        out += digits[byte & 0xF];
    }
    return out;
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
}

/// Without white space at either end, and with one blank for several.
std::string trimmed(std::string_view value) {
    std::string out;
    for (const char c : value) {
        const bool is_blank = c == ' ' || c == '\t';
        if (is_blank && (out.empty() || out.back() == ' ')) continue;
        out += is_blank ? ' ' : c;
    }
    if (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
}

using HeaderMap = std::map<std::string, std::string>;

/// Names in lower case; several values of one name are joined in their order.
HeaderMap canonical_headers(const NameValues& headers) {
    HeaderMap canonical;
    for (const NameValue& header : headers) {
        const auto [place, is_new] =
            canonical.try_emplace(lower_case(header.name), trimmed(header.value));
        if (!is_new) place->second += "," + trimmed(header.value);
    }
    return canonical;
}

std::string signed_names(const HeaderMap& headers) {
    std::string names;
    for (const auto& [name, value] : headers) names += (names.empty() ? "" : ";") + name;
    return names;
}

std::string scope_text(const SigningScope& scope) {
    return format("{}/{}/{}/aws4_request", scope.time.substr(0, 8), scope.region, scope.service);
}

/// One step of the key derivation, and the signature itself.
Secret<32> hmac(ByteView key, std::string_view message) {
    Secret<32> code;
    crypto::HmacSha256(key).compute({as_bytes(message)}, code.writable().first<32>());
    return code;
}

Secret<32> signing_key(const Credentials& credentials, const SigningScope& scope) {
    const std::string_view secret = credentials.secret_access_key.reveal();
    Bytes first = to_bytes(as_bytes("AWS4"));
    first.reserve(first.size() + secret.size());
    append(first, as_bytes(secret));
    const ZeroOnExit zero(first);
    const Secret<32> date = hmac(first, scope.time.substr(0, 8));
    const Secret<32> region = hmac(date.view(), scope.region);
    const Secret<32> service = hmac(region.view(), scope.service);
    return hmac(service.view(), "aws4_request");
}

}  // namespace

std::string amz_date(std::chrono::system_clock::time_point time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    return format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                  parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string encode_query_text(std::string_view text) {
    return percent_encode(text, "");
}

std::string encode_path(std::string_view path) {
    return percent_encode(path, "/");
}

std::string encode_query(const NameValues& query) {
    std::vector<std::pair<std::string, std::string>> encoded;
    encoded.reserve(query.size());
    for (const NameValue& parameter : query)
        encoded.emplace_back(encode_query_text(parameter.name), encode_query_text(parameter.value));
    // Sorted as encoded, by name and then by value: that is what the server does.
    std::sort(encoded.begin(), encoded.end());
    std::string text;
    for (const auto& [name, value] : encoded)
        text += format("{}{}={}", text.empty() ? "" : "&", name, value);
    return text;
}

std::string canonical_request(const RequestToSign& request) {
    const HeaderMap headers = canonical_headers(request.headers);
    std::string text = format("{}\n{}\n{}\n", request.method, encode_path(request.path),
                              encode_query(request.query));
    for (const auto& [name, value] : headers) text += format("{}:{}\n", name, value);
    return text + format("\n{}\n{}", signed_names(headers), request.payload_hash);
}

std::string authorization(const RequestToSign& request, const Credentials& credentials,
                          const SigningScope& scope) {
    const crypto::Digest request_hash = crypto::sha256(as_bytes(canonical_request(request)));
    const std::string to_sign =
        format("{}\n{}\n{}\n{}", algorithm, scope.time, scope_text(scope), to_hex(request_hash));
    const Secret<32> signature = hmac(signing_key(credentials, scope).view(), to_sign);
    return format("{} Credential={}/{},SignedHeaders={},Signature={}", algorithm,
                  credentials.access_key_id, scope_text(scope),
                  signed_names(canonical_headers(request.headers)), to_hex(signature.view()));
}

}  // namespace walden::storage::s3
