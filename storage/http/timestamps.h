// Times as the documents of stores and their services have them (ISO 8601, UTC).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace walden::storage {

using TimePoint = std::chrono::system_clock::time_point;

/// "2026-11-22T14:32:00Z", also with a fraction or "+00:00"; nullopt for anything else.
[[nodiscard]] std::optional<TimePoint> parse_iso_time(std::string_view text);

/// "2026-11-22T14:32:00Z".
[[nodiscard]] std::string iso_time(TimePoint time);

}  // namespace walden::storage
