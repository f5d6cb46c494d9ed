// The numbers in WAL file names, positions and history files, parsed without signs, blanks or
// prefixes, which strtoul and sscanf would let pass.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace walden::wal {

/// The whole of `text` as one 32-bit number in `base`; nullopt if it is empty, has a character that
/// is no digit, or is too large.
[[nodiscard]] inline std::optional<std::uint32_t> parse_number(std::string_view text, int base) {
    std::uint32_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value, base);
    if (text.empty() || error != std::errc{} || stopped != end) return std::nullopt;
    return value;
}

/// 1 to 8 hex digits of either case.
[[nodiscard]] inline std::optional<std::uint32_t> parse_hex_number(std::string_view text) {
    if (text.size() > 8) return std::nullopt;
    return parse_number(text, 16);
}

/// Exactly 8 hex digits in upper case, as in file names.
[[nodiscard]] inline std::optional<std::uint32_t> parse_upper_hex(std::string_view text) {
    if (text.size() != 8 || text.find_first_not_of("0123456789ABCDEF") != std::string_view::npos)
        return std::nullopt;
    return parse_number(text, 16);
}

}  // namespace walden::wal
