#include "wal/lsn.h"

#include "base/format.h"
#include "wal/number_text.h"

namespace walden::wal {

std::string to_string(Lsn lsn) {
    return format("{:X}/{:X}", lsn.value >> 32, lsn.value & 0xFFFFFFFF);
}

std::optional<Lsn> parse_lsn(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto high = parse_hex_number(text.substr(0, slash));
    const auto low = parse_hex_number(text.substr(slash + 1));
    if (!high || !low) return std::nullopt;
    return Lsn{std::uint64_t{*high} << 32 | *low};
}

}  // namespace walden::wal
