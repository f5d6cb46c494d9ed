// What may be wrong with an object of the archive.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace walden::catalog {

enum class ProblemKind : std::uint8_t {
    missing,       ///< something that is there, or this host's memory, says that it must be there
    corrupt,       ///< truncated, flipped, moved, swapped, undecodable; the message tells which
    extra,         ///< nothing of walden's belongs there
    gap,           ///< no segment where later ones of the timeline are
    fork,          ///< two neighbours that are not of one line
    wal_damaged,   ///< whole as archived, but not valid WAL; damaged at its source
    unreadable,    ///< of a newer format, or sealed to keys that this host does not have
    wal_mismatch,  ///< two neighbours whose records do not continue
};

[[nodiscard]] std::string_view to_string(ProblemKind kind);

/// What a failure to read one object means for it. nullopt for failures of the store itself, which
/// say nothing about the object.
[[nodiscard]] std::optional<ProblemKind> problem_of(const Error& error);

struct Problem {
    ProblemKind kind = ProblemKind::missing;
    std::string object;   ///< the key in the store
    std::string message;  ///< what is wrong and what it breaks
};

}  // namespace walden::catalog
