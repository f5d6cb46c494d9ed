// What an operator decides about archiving.
#pragma once

#include <cstdint>

namespace walden::archive {

/// What becomes of a segment whose records fail their checks.
enum class DamagedWalPolicy : std::uint8_t {
    archive,  ///< store it as what it is, marked, with a warning
    refuse,
};

}  // namespace walden::archive
