// In which segment a recovery will meet its target, as far as the archive tells.
//
// The entries hold the times of the commits and the transaction ids of each segment, so a binary
// search along the line of descent needs about log2(N) small GETs and never reads WAL. Clocks and
// transaction ids do not only ascend, and not every segment has some: the answer is an estimate.
#pragma once

#include "pg/recovery_target.h"
#include "vault/cluster_vault.h"
#include "wal/file_name.h"
#include "wal/segment_facts.h"
#include "wal/stored_facts.h"
#include "wal/timeline_history.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace walden::catalog {

struct TargetPlace {
    enum class Reach : std::uint8_t {
        in_archive,      ///< recovery will meet it
        beyond_archive,  ///< nothing in the archive is at or behind it
        not_told,        ///< the archive does not say
    };

    Reach reach = Reach::not_told;
    std::string reason{};                           ///< not_told: why
    std::optional<wal::SegmentName> segment{};      ///< in_archive: holds it
    bool is_estimate = false;                       ///< found by times or transaction ids
    std::optional<wal::SegmentName> archive_end{};  ///< the last segment of the line
    std::optional<wal::Timestamp> last_commit{};    ///< the latest that was seen on the way
};

/// One thread at a time.
class TargetFinder {
public:
    /// How many entries are read at most. A search among a million segments that have commits reads
    /// about twenty.
    static constexpr std::size_t entries_max = 128;

    /// Looks for segments along `line`, from segment number `from` on. `vault` must outlive the
    /// object.
    TargetFinder(const vault::ClusterVault& vault, wal::SegmentSize size, wal::TimelineHistory line,
                 std::uint64_t from)
        : vault_(vault), size_(size), line_(std::move(line)), from_(from) {}

    /// Throws what the storage throws. A damaged entry counts as one that tells nothing.
    [[nodiscard]] TargetPlace find(const pg::RecoveryTarget& target);

private:
    /// Whether recovery meets its target in a segment with these facts or before it; nullopt if
    /// they do not tell.
    using Judge = std::function<std::optional<bool>(const wal::SegmentFacts&)>;

    struct Verdict {
        std::uint64_t number = 0;
        bool is_met = false;
    };

    [[nodiscard]] TargetPlace locate(wal::Lsn lsn);
    [[nodiscard]] TargetPlace search(const Judge& judge);
    [[nodiscard]] std::optional<Verdict> find_verdict(std::uint64_t low, std::uint64_t high,
                                                      const Judge& judge);
    [[nodiscard]] std::optional<bool> judge_segment(std::uint64_t number, const Judge& judge);
    [[nodiscard]] const std::optional<wal::StoredFacts>& facts_of(std::uint64_t number);
    [[nodiscard]] std::optional<wal::StoredFacts> read_facts(std::uint64_t number);
    [[nodiscard]] wal::SegmentName name_of(std::uint64_t number) const;

    const vault::ClusterVault& vault_;
    wal::SegmentSize size_;
    wal::TimelineHistory line_;
    std::uint64_t from_;
    std::optional<wal::SegmentName> end_;
    std::map<std::uint64_t, std::optional<wal::StoredFacts>> facts_;
    std::size_t entries_read_ = 0;
};

}  // namespace walden::catalog
