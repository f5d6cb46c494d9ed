// Times as a person types them for a recovery: with a zone, so that nobody's session decides which
// moment is meant.
#pragma once

#include "wal/segment_facts.h"

#include <optional>
#include <string_view>

namespace walden::pg {

/// "2026-06-04 14:31:59.123456+02", also with "T", without seconds, with "+02:00", "Z" or " UTC".
/// nullopt for anything else, in particular for a time without a zone and a day that is none.
[[nodiscard]] std::optional<wal::Timestamp> parse_target_time(std::string_view text);

}  // namespace walden::pg
