// Where a recovery is to stop: the recovery_target_* settings of a server.
#pragma once

#include "wal/lsn.h"
#include "wal/segment_facts.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace walden::pg {

enum class TargetKind : std::uint8_t {
    none,       ///< the end of WAL
    immediate,  ///< as soon as the server is consistent
    lsn,
    time,
    xid,
    name,
};

[[nodiscard]] std::string_view to_string(TargetKind kind);

/// PostgreSQL does not start with more than one of them.
struct RecoveryTarget {
    TargetKind kind = TargetKind::none;
    std::string text{};  ///< the setting's value
    wal::Lsn lsn{};      ///< by kind; the others are 0
    wal::Timestamp time = 0;
    std::uint32_t xid = 0;
    bool is_inclusive = true;  ///< recovery_target_inclusive
    std::string action{};      ///< recovery_target_action
    std::string timeline{};  ///< recovery_target_timeline: "latest", "current" or a decimal number
};

/// The number that recovery_target_xid or recovery_target_timeline has, as PostgreSQL reads it:
/// decimal, or hex or octal by its prefix, and of a transaction id with an epoch
/// (pg_current_xact_id) the lower 32 bits. nullopt for what is no number.
[[nodiscard]] std::optional<std::uint32_t> parse_target_number(std::string_view text);

}  // namespace walden::pg
