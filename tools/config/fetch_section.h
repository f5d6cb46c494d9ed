// [fetch] of the configuration.
#pragma once

#include "base/setting.h"
#include "recovery/fetch_policy.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace walden::cli {

enum class OnStandbyError : std::uint8_t {
    retry,   ///< "not there", as PostgreSQL asks again, unless the standby is being promoted
    stop,    ///< refused, which shuts the standby down
    ignore,  ///< "not there", whatever a promotion loses by it
};

struct FetchSection {
    OnStandbyError standby_on_error = OnStandbyError::retry;
    recovery::DamagedWalPolicy on_damaged_wal = recovery::DamagedWalPolicy::refuse;
    std::chrono::milliseconds deadline{60'000};
    std::chrono::milliseconds history_deadline{180'000};
    std::chrono::milliseconds hole_patience{5'000};
    std::size_t prefetch_size = std::size_t{256} << 20;  ///< bytes; 0: nothing is prefetched
    std::size_t in_flight = 8;
};

[[nodiscard]] std::vector<Setting<FetchSection>> fetch_setting_table();

}  // namespace walden::cli
