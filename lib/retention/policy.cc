#include "retention/policy.h"

#include <array>
#include <charconv>
#include <chrono>

namespace walden::retention {

namespace {

constexpr std::uint64_t keep_max = 100'000;

struct PeriodWord {
    Period period;
    std::string_view word;
    std::uint64_t hours;  ///< roughly: only where units differ
};

constexpr std::array<PeriodWord, 5> period_words{{
    {Period::hour, "hour", 1},
    {Period::day, "day", 24},
    {Period::week, "week", 168},
    {Period::month, "month", 720},
    {Period::year, "year", 8760},
}};

const PeriodWord& word_of(Period period) {
    return period_words[static_cast<std::size_t>(period)];
}

std::string_view without_plural(std::string_view word) {
    if (word.ends_with('s')) word.remove_suffix(1);
    return word;
}

}  // namespace

std::string_view to_string(Period period) {
    return word_of(period).word;
}

std::string_view to_string(BackupClass what) {
    return what == BackupClass::base ? "base" : "dump";
}

std::string_view to_string(WalKept wal) {
    return wal == WalKept::all ? "all" : "consistency";
}

std::optional<Period> parse_period(std::string_view text) {
    for (const PeriodWord& known : period_words)
        if (known.word == text) return known.period;
    return std::nullopt;
}

std::optional<std::uint32_t> parse_keep(std::string_view text, Period every) {
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc() || number == 0 || number > keep_max) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty()) return static_cast<std::uint32_t>(number);
    if (!text.starts_with(' ')) return std::nullopt;
    const auto unit = parse_period(without_plural(text.substr(1)));
    if (!unit) return std::nullopt;
    const std::uint64_t hours = number * word_of(*unit).hours;
    const std::uint64_t step = word_of(every).hours;
    const std::uint64_t count = *unit == every ? number : (hours + step - 1) / step;
    if (count > keep_max) return std::nullopt;
    return static_cast<std::uint32_t>(count);
}

std::int64_t period_number(Period period, std::int64_t time) {
    using namespace std::chrono;
    const sys_seconds at{seconds(time)};
    const sys_days day = floor<days>(at);
    const year_month_day date(day);
    switch (period) {
        case Period::hour: return floor<hours>(at).time_since_epoch().count();
        case Period::day: return day.time_since_epoch().count();
        case Period::week:
            // 1970-01-01 was a Thursday: three days later weeks begin on Monday.
            return floor<weeks>(day.time_since_epoch() + days(3)).count();
        case Period::month:
            return std::int64_t{int(date.year())} * 12 + (unsigned(date.month()) - 1);
        case Period::year: break;
    }
    return int(date.year());
}

}  // namespace walden::retention
