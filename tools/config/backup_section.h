// [backup] of the configuration.
#pragma once

#include "base/setting.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace walden::cli {

struct BackupSection {
    std::string conninfo;    ///< empty: PGHOST and the like
    std::uint32_t jobs = 0;  ///< 0: as many as processors
    std::size_t rate = 0;    ///< bytes a second that are read at most; 0: as fast as it goes
    std::uint32_t sample_percent = 2;
    std::chrono::milliseconds wal_patience{60'000};
};

[[nodiscard]] std::vector<Setting<BackupSection>> backup_setting_table();

}  // namespace walden::cli
