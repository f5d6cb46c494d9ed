// Words and numbers as the commands print them.
#pragma once

#include "wal/segment_facts.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace walden::commands {

/// One line to stdout.
void print_line(std::string_view line);

/// "1.5 GiB", "16.0 MiB", "512 bytes".
[[nodiscard]] std::string size_text(std::uint64_t bytes);

/// "1 segment", "2 segments"; `several` where that is not `one` and an s.
[[nodiscard]] std::string count_text(std::uint64_t count, std::string_view one,
                                     std::string_view several = "");

/// "2026-11-22 14:32:07 UTC" for Unix seconds: the one form of moments in text, which PostgreSQL
/// takes as recovery_target_time, too.
[[nodiscard]] std::string time_text(std::int64_t unix_seconds);

/// Likewise of a moment in WAL, to the microsecond: "2026-11-22 14:32:07.250000 UTC".
[[nodiscard]] std::string wal_time_text(wal::Timestamp time);

/// The one form of moments in JSON (RFC 3339): "2026-11-22T14:32:07Z".
[[nodiscard]] std::string json_time(std::int64_t unix_seconds);

/// "2026-11-22T14:32:07.250000Z".
[[nodiscard]] std::string json_wal_time(wal::Timestamp time);

/// "90 s", "45 min", "3.5 h".
[[nodiscard]] std::string age_text(std::uint64_t seconds);

/// The time now as RFC 3339 writes it, "2026-11-22T14:32:07Z".
[[nodiscard]] std::string now_rfc3339();

}  // namespace walden::commands
