#include "pg/recovery_target.h"

#include <charconv>

namespace walden::pg {

std::string_view to_string(TargetKind kind) {
    switch (kind) {
        case TargetKind::none: return "none";
        case TargetKind::immediate: return "immediate";
        case TargetKind::lsn: return "lsn";
        case TargetKind::time: return "time";
        case TargetKind::xid: return "xid";
        case TargetKind::name: return "name";
    }
    return "none";
}

std::optional<std::uint32_t> parse_target_number(std::string_view text) {
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        base = 16;
        text.remove_prefix(2);
    } else if (text.size() > 1 && text.front() == '0') {
        base = 8;
    }
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value, base);
    if (text.empty() || error != std::errc() || rest != end) return std::nullopt;
    return static_cast<std::uint32_t>(value);
}

}  // namespace walden::pg
