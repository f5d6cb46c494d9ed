#include "tools/commands/text.h"

#include "base/format.h"
#include "wal/stored_facts.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace walden::commands {

namespace {

std::string utc(std::int64_t unix_seconds, const char* pattern) {
    const auto time = static_cast<std::time_t>(unix_seconds);
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    std::array<char, 64> text{};
    return {text.data(), std::strftime(text.data(), text.size(), pattern, &parts)};
}

}  // namespace

void print_line(std::string_view line) {
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
}

std::string size_text(std::uint64_t bytes) {
    if (bytes < 1024) return format("{} bytes", bytes);
    double value = static_cast<double>(bytes);
    const char* unit = "";
    for (const char* next : {"KiB", "MiB", "GiB", "TiB", "PiB"}) {
        if (value < 1024) break;
        value /= 1024;
        unit = next;
    }
    return format("{:.1f} {}", value, unit);
}

std::string count_text(std::uint64_t count, std::string_view one, std::string_view several) {
    if (count == 1) return format("1 {}", one);
    return several.empty() ? format("{} {}s", count, one) : format("{} {}", count, several);
}

std::string time_text(std::int64_t unix_seconds) {
    return utc(unix_seconds, "%Y-%m-%d %H:%M:%S UTC");
}

std::string wal_time_text(wal::Timestamp time) {
    const std::string text = wal::to_utc_text(time);  // ends in "+00"
    return text.substr(0, text.size() - 3) + " UTC";
}

std::string json_time(std::int64_t unix_seconds) {
    return utc(unix_seconds, "%Y-%m-%dT%H:%M:%SZ");
}

std::string json_wal_time(wal::Timestamp time) {
    std::string text = wal::to_utc_text(time);
    text.replace(text.size() - 3, 3, "Z");
    return text.replace(text.find(' '), 1, "T");
}

std::string age_text(std::uint64_t seconds) {
    if (seconds < 120) return format("{} s", seconds);
    if (seconds < 7200) return format("{} min", seconds / 60);
    return format("{:.1f} h", static_cast<double>(seconds) / 3600);
}

std::string now_rfc3339() {
    return json_time(std::time(nullptr));
}

}  // namespace walden::commands
