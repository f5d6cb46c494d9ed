#include "storage/http/timestamps.h"

#include "base/format.h"

#include <time.h>

#include <charconv>

namespace walden::storage {

namespace {

/// Reads `size` digits from the front; -1 if they are none.
int take_digits(std::string_view& text, std::size_t size) {
    int number = 0;
    if (text.size() < size) return -1;
    for (std::size_t i = 0; i < size; ++i) {
        if (text[i] < '0' || text[i] > '9') return -1;
        number = number * 10 + (text[i] - '0');
    }
    text.remove_prefix(size);
    return number;
}

bool take(std::string_view& text, std::string_view expected) {
    if (!text.starts_with(expected)) return false;
    text.remove_prefix(expected.size());
    return true;
}

}  // namespace

std::optional<TimePoint> parse_iso_time(std::string_view text) {
    std::tm parts{};
    parts.tm_year = take_digits(text, 4) - 1900;
    bool ok = take(text, "-");
    parts.tm_mon = take_digits(text, 2) - 1;
    ok = ok && take(text, "-");
    parts.tm_mday = take_digits(text, 2);
    ok = ok && take(text, "T");
    parts.tm_hour = take_digits(text, 2);
    ok = ok && take(text, ":");
    parts.tm_min = take_digits(text, 2);
    ok = ok && take(text, ":");
    parts.tm_sec = take_digits(text, 2);
    if (take(text, "."))
        while (!text.empty() && text.front() >= '0' && text.front() <= '9') text.remove_prefix(1);
    ok = ok && (text == "Z" || text == "+00:00" || text == "+0000");
    if (!ok || parts.tm_year < 70 || parts.tm_mon < 0 || parts.tm_mon > 11 || parts.tm_mday < 1 ||
        parts.tm_mday > 31 || parts.tm_hour < 0 || parts.tm_hour > 23 || parts.tm_min < 0 ||
        parts.tm_min > 59 || parts.tm_sec < 0 || parts.tm_sec > 60)
        return std::nullopt;
    // Beyond this the clock's nanoseconds overflow.
    if (parts.tm_year > 300) return std::nullopt;
    return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string iso_time(TimePoint time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    return format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                  parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace walden::storage
