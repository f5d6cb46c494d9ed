#include "bench/http_request_counter.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace walden::bench {

namespace {

/// No client of ours sends a longer one.
constexpr std::size_t head_size_max = std::size_t{64} << 10;
constexpr std::string_view head_end = "\r\n\r\n";

std::string lower_case(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return lower;
}

/// Empty if there is no such field. `head` is in lower case.
std::string_view field_of(std::string_view head, std::string_view name) {
    const std::size_t at = head.find("\r\n" + std::string(name) + ":");
    if (at == std::string_view::npos) return {};
    std::string_view value = head.substr(at + name.size() + 3);
    value = value.substr(0, value.find("\r\n"));
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    return value;
}

/// Whether the query asks for a listing (ListObjectsV2, ListMultipartUploads in S3's reference).
bool asks_for_list(std::string_view target) {
    const std::size_t question = target.find('?');
    if (question == std::string_view::npos) return false;
    const std::string query = "&" + std::string(target.substr(question + 1)) + "&";
    return query.find("&list-type=") != std::string::npos ||
           query.find("&uploads=") != std::string::npos ||
           query.find("&uploads&") != std::string::npos;
}

bool is_method(std::string_view word) {
    return !word.empty() &&
           std::all_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

void HttpRequestCounter::read(std::string_view bytes, RequestCounts& counts) {
    while (!bytes.empty() && is_readable_) {
        if (body_left_ > 0) {
            const auto skipped = std::min<std::uint64_t>(body_left_, bytes.size());
            body_left_ -= skipped;
            bytes.remove_prefix(skipped);
            continue;
        }
        // The end may be split between two pieces.
        const std::size_t overlap = std::min(head_.size(), head_end.size() - 1);
        const std::size_t before = head_.size();
        head_ += bytes.substr(0, head_size_max);
        const std::size_t end = head_.find(head_end, before - overlap);
        if (end != std::string::npos) {
            head_.resize(end + head_end.size());
            bytes.remove_prefix(head_.size() - before);
            finish_head(counts);
            head_.clear();
        } else if (head_.size() >= head_size_max || !is_method(head_.substr(0, 1))) {
            is_readable_ = false;
            ++counts["unreadable"];
        } else {
            return;
        }
    }
}

void HttpRequestCounter::finish_head(RequestCounts& counts) {
    const std::string_view line = std::string_view(head_).substr(0, head_.find("\r\n"));
    const std::size_t space = line.find(' ');
    const std::string_view method = line.substr(0, space);
    const std::string lower = lower_case(head_);
    const std::string_view length = field_of(lower, "content-length");
    const auto parsed = std::from_chars(length.data(), length.data() + length.size(), body_left_);
    const bool is_sized =
        length.empty() || (parsed.ec == std::errc{} && parsed.ptr == length.data() + length.size());
    if (!is_method(method) || space == std::string_view::npos || !is_sized ||
        !field_of(lower, "transfer-encoding").empty()) {
        is_readable_ = false;
        ++counts["unreadable"];
        return;
    }
    const std::string_view target = line.substr(space + 1, line.rfind(' ') - space - 1);
    ++counts[method == "GET" && asks_for_list(target) ? std::string("LIST") : std::string(method)];
}

}  // namespace walden::bench
