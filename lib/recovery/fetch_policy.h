// What an operator decides about fetching.
#pragma once

#include <cstdint>

namespace walden::recovery {

/// What becomes of a segment that was damaged already when it was archived.
enum class DamagedWalPolicy : std::uint8_t {
    refuse,   ///< recovery would end there without a word
    deliver,  ///< an operator wants to go as far as the damage
};

}  // namespace walden::recovery
