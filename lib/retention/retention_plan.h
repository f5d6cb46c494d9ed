// What may go and what stays, and why: the pure half of `walden expire`.
//
// Nothing goes because it is old. A backup goes when no tier counts it, and WAL goes when no backup
// that stays can use it. Everything that is unknown stays.
#pragma once

#include "catalog/line_coverage.h"
#include "catalog/reachable.h"
#include "catalog/stored_backups.h"
#include "retention/policy.h"
#include "wal/file_name.h"
#include "wal/lsn.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::retention {

using catalog::BackupState;

/// One backup, as its records tell.
struct BackupView {
    catalog::BackupSpan span;  ///< of a running one only the start is known; a dump has none
    BackupClass what = BackupClass::base;
    BackupState state = BackupState::committed;
    std::int64_t began = 0;            ///< Unix seconds: names its period, decides nothing else
    bool is_damaged = false;           ///< has pages that were damaged at their source
    bool is_proven = false;            ///< a drill has started it
    std::optional<std::string> pin{};  ///< why somebody keeps it by hand
};

/// The archive of one cluster, as complete listings tell it.
struct ArchiveView {
    std::vector<BackupView> backups;
    catalog::Histories histories;
    catalog::RunsByTimeline runs;
    wal::SegmentSize size{};
};

struct BackupVerdict {
    std::string id;
    bool is_kept = true;
    bool keeps_all_wal = false;  ///< any later moment stays reachable from it
    std::string why;             ///< one line
};

struct WalVerdict {
    wal::TimelineId timeline = 0;
    catalog::SegmentRun segments;
    bool is_kept = true;
    std::string why;  ///< one line
};

/// Why nothing may be done. Each can be overruled by its own name, and by no other.
enum class Refusal : std::uint8_t {
    no_policy,       ///< no tier keeps a base backup: a policy that was emptied by mistake?
    nothing_proven,  ///< no backup that would stay has been proven to start
    most_would_go,   ///< more than half of the backups would go at once
};

[[nodiscard]] std::string_view to_string(Refusal refusal);

struct Plan {
    std::vector<BackupVerdict> backups;  ///< newest first; those committed or running
    std::vector<WalVerdict> wal;         ///< ascending; every segment of the archive is in one
    std::vector<catalog::Window> before;
    std::vector<catalog::Window> after;
    std::vector<Refusal> refusals;

    [[nodiscard]] std::uint64_t backups_to_expire() const;
    [[nodiscard]] std::uint64_t segments_to_expire() const;
};

[[nodiscard]] Plan make_plan(const Policy& policy, const ArchiveView& archive);

}  // namespace walden::retention
