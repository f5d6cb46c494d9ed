// [archive] of the configuration.
#pragma once

#include "archive/archive_policy.h"
#include "base/setting.h"

#include <chrono>
#include <vector>

namespace walden::cli {

struct ArchiveSection {
    archive::DamagedWalPolicy on_damaged_wal = archive::DamagedWalPolicy::archive;
    std::chrono::milliseconds deadline{60'000};
};

[[nodiscard]] std::vector<Setting<ArchiveSection>> archive_setting_table();

}  // namespace walden::cli
