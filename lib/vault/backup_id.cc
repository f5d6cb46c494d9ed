#include "vault/backup_id.h"

#include "base/format.h"
#include "base/random.h"

#include <algorithm>
#include <cassert>
#include <ctime>

namespace walden::vault {

std::optional<BackupId> parse_backup_id(std::string_view text) {
    constexpr std::string_view shape = "dddddddd-dddddd-xxxx";
    static_assert(shape.size() == BackupId::size);
    if (text.size() != BackupId::size) return std::nullopt;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_digit = text[i] >= '0' && text[i] <= '9';
        const bool is_hex = is_digit || (text[i] >= 'a' && text[i] <= 'f');
        if (shape[i] == '-' ? text[i] != '-' : !(shape[i] == 'd' ? is_digit : is_hex))
            return std::nullopt;
    }
    BackupId id;
    std::copy(text.begin(), text.end(), id.text_.begin());
    return id;
}

BackupId make_backup_id(std::int64_t time) {
    const auto seconds = static_cast<std::time_t>(time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    const auto id = parse_backup_id(format(
        "{:04}{:02}{:02}-{:02}{:02}{:02}-{}", (parts.tm_year + 1900) % 10'000, parts.tm_mon + 1,
        parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, to_hex(random_array<2>())));
    assert(id);
    return *id;
}

}  // namespace walden::vault
