// After a failover: brings into the archive what the old primary had not archived when it died,
// from the pg_wal of a server that goes on behind it.
//
// A standby marks what it streams as archived (XLogWalRcvWrite in walreceiver.c), unless
// archive_mode is "always". So the segments between the last one that the old primary archived and
// the one in which the new timeline begins lie in the new primary's pg_wal, and nobody archives
// them: the line of WAL that leads to the new timeline has a hole.
//
// They belong to a timeline that this server has left and another instance owns. What entitles it
// to add them is its line of descent, proven by
//
//  1. its own history, which is byte for byte the one that the archive has;
//  2. a neighbour: next to each run of segments that are added is one that archive and pg_wal both
//     have, byte for byte; or the archive's begins a record that ends, with the right CRC, in ours.
//
// A clone that went on writing the same timeline differs there. Nothing is added behind the switch
// point, nor the segment that holds it, whose bytes the new timeline's own segment begins with.
#pragma once

#include "archive/archiver.h"
#include "wal/file_name.h"
#include "wal/timeline_history.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace walden::archive {

enum class BackfillState : std::uint8_t {
    archived,   ///< in the archive, byte for byte
    different,  ///< in the archive with other content: this is not the same line
    missing,    ///< not in the archive, and proven to belong there
    unproven,   ///< not in the archive, and nothing shows that it belongs there
    unsound,    ///< not the WAL that its name says, incomplete or damaged
};

[[nodiscard]] std::string_view to_string(BackfillState state);

/// A segment of pg_wal on the line of descent, of a timeline that was left.
struct BackfillSegment {
    wal::SegmentName name;
    std::string file_name;
    BackfillState state = BackfillState::unsound;
    std::string reason{};  ///< for a person: what proves it, or what is wrong
    crypto::ContentId content_id{};
    std::optional<vault::Predecessor> predecessor{};
};

/// Segments that are neither in the archive nor in pg_wal, ascending, both included.
struct BackfillGap {
    std::string first;
    std::string last;
    std::uint64_t count = 0;
};

struct BackfillPlan {
    wal::TimelineHistory history;  ///< of the newest timeline that pg_wal knows
    bool has_archived_history = false;
    std::vector<BackfillSegment> segments{};  ///< ascending
    std::vector<BackfillGap> gaps{};  ///< what stays missing; older holes are not looked for

    /// Whether nothing is missing once all missing segments are archived.
    [[nodiscard]] bool completes_the_line() const;
};

/// One thread at a time.
class Backfill {
public:
    /// `vault` and `archiver` must outlive the object. `wal_directory` is a pg_wal.
    Backfill(const vault::ClusterVault& vault, const Archiver& archiver, std::string wal_directory)
        : vault_(vault), archiver_(archiver), wal_directory_(std::move(wal_directory)) {}

    /// Compares pg_wal with the archive and changes nothing. nullopt if pg_wal has no history: then
    /// this server has left no timeline. Reads each segment of the line once. Throws
    ///   Error(conflict)  the archive has another history of the same timeline
    ///   Error(corrupt)   a history is malformed
    /// and what the storage throws.
    [[nodiscard]] std::optional<BackfillPlan> plan() const;

    /// Archives one segment of `plan` that is missing. In ascending order, so that a crash leaves
    /// no hole that was not there. Throws as Archiver::fill does, and Error(io) if the file is gone
    /// or another than when it was planned: PostgreSQL recycles such segments.
    ArchiveResult archive(const BackfillSegment& segment) const;

private:
    const vault::ClusterVault& vault_;
    const Archiver& archiver_;
    std::string wal_directory_;
};

}  // namespace walden::archive
