#include "pg/target_time.h"

#include <chrono>
#include <cstdint>
#include <optional>

namespace walden::pg {

namespace {

using namespace std::chrono;

constexpr sys_days postgres_epoch = year(2000) / January / 1;
constexpr std::size_t fraction_digits_max = 6;

/// Takes fixed-width numbers and single characters off the front of a text.
class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    std::optional<int> number(std::size_t digits) {
        if (rest_.size() < digits) return std::nullopt;
        int value = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            if (rest_[i] < '0' || rest_[i] > '9') return std::nullopt;
            value = value * 10 + (rest_[i] - '0');
        }
        rest_.remove_prefix(digits);
        return value;
    }

    bool take(std::string_view expected) {
        if (!rest_.starts_with(expected)) return false;
        rest_.remove_prefix(expected.size());
        return true;
    }

    /// One to six digits, as millionths.
    std::optional<int> fraction() {
        int value = 0;
        std::size_t digits = 0;
        while (digits < fraction_digits_max) {
            const auto digit = number(1);
            if (!digit) break;
            value = value * 10 + *digit;
            ++digits;
        }
        if (digits == 0) return std::nullopt;
        for (; digits < fraction_digits_max; ++digits) value *= 10;
        return value;
    }

    [[nodiscard]] bool is_done() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

std::optional<sys_days> scan_day(Scanner& scan) {
    const auto y = scan.number(4);
    if (!y || !scan.take("-")) return std::nullopt;
    const auto m = scan.number(2);
    if (!m || !scan.take("-")) return std::nullopt;
    const auto d = scan.number(2);
    if (!d) return std::nullopt;
    const year_month_day date{year(*y), month(static_cast<unsigned>(*m)),
                              day(static_cast<unsigned>(*d))};
    if (!date.ok()) return std::nullopt;
    return sys_days(date);
}

std::optional<microseconds> scan_time(Scanner& scan) {
    const auto h = scan.number(2);
    if (!h || *h > 23 || !scan.take(":")) return std::nullopt;
    const auto m = scan.number(2);
    if (!m || *m > 59) return std::nullopt;
    microseconds time = hours(*h) + minutes(*m);
    if (!scan.take(":")) return time;
    const auto s = scan.number(2);
    if (!s || *s > 59) return std::nullopt;
    time += seconds(*s);
    if (!scan.take(".")) return time;
    const auto f = scan.fraction();
    if (!f) return std::nullopt;
    return time + microseconds(*f);
}

/// What is to be subtracted to get UTC.
std::optional<minutes> scan_zone(Scanner& scan) {
    if (scan.take("Z") || scan.take(" UTC")) return minutes(0);
    const bool is_west = scan.take("-");
    if (!is_west && !scan.take("+")) return std::nullopt;
    const auto h = scan.number(2);
    if (!h || *h > 15) return std::nullopt;
    minutes offset = hours(*h);
    if (scan.take(":")) {
        const auto m = scan.number(2);
        if (!m || *m > 59) return std::nullopt;
        offset += minutes(*m);
    }
    return is_west ? -offset : offset;
}

}  // namespace

std::optional<wal::Timestamp> parse_target_time(std::string_view text) {
    Scanner scan(text);
    const auto date = scan_day(scan);
    if (!date || (!scan.take(" ") && !scan.take("T"))) return std::nullopt;
    const auto time = scan_time(scan);
    if (!time) return std::nullopt;
    const auto zone = scan_zone(scan);
    if (!zone || !scan.is_done()) return std::nullopt;
    return (*date - postgres_epoch + *time - *zone) / microseconds(1);
}

}  // namespace walden::pg
