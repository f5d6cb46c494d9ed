// What a user wants to keep: the tiers of the configuration.
//
// A tier keeps the newest backup of each of the last N periods that have one. Periods are counted
// and no ages are compared: "weekly for 30 days" means the five newest weeks that hold a backup.
// So a clock that jumps ten years ahead adds one period and lets at most one backup go; and where
// no backup is made any more, nothing goes at all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::retention {

/// Calendar periods in UTC. Weeks begin on Monday.
enum class Period : std::uint8_t { hour, day, week, month, year };

[[nodiscard]] std::string_view to_string(Period period);

/// What a tier keeps: base backups of the data directory, or logical dumps.
enum class BackupClass : std::uint8_t { base, dump };

[[nodiscard]] std::string_view to_string(BackupClass what);

/// How much WAL a kept base backup keeps.
enum class WalKept : std::uint8_t {
    all,          ///< from its start to the end of its lines: any moment can be reached
    consistency,  ///< only what makes it consistent: one moment can be reached
};

[[nodiscard]] std::string_view to_string(WalKept wal);

struct Tier {
    std::string name;
    BackupClass what = BackupClass::base;
    Period every = Period::day;
    std::uint32_t keep = 0;  ///< periods that have a backup, from 1
    WalKept wal = WalKept::all;

    friend bool operator==(const Tier&, const Tier&) = default;
};

struct Policy {
    std::vector<Tier> tiers;
    /// So many of the newest base backups stay whatever the tiers say.
    std::uint32_t minimum = 2;
};

/// nullopt for other words than hour, day, week, month, year.
[[nodiscard]] std::optional<Period> parse_period(std::string_view text);

/// How many periods `text` means: "5" is five of them; "30 days" as many as cover that time,
/// rounded up, with months of 30 and years of 365 days where the units differ. nullopt for other
/// texts, for zero and for more than 100,000.
[[nodiscard]] std::optional<std::uint32_t> parse_keep(std::string_view text, Period every);

/// The number of the period that holds `time` (Unix seconds): equal for two times of one period,
/// ascending with time.
[[nodiscard]] std::int64_t period_number(Period period, std::int64_t time);

}  // namespace walden::retention
