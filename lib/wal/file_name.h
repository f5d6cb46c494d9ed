// The names of the files in pg_wal that PostgreSQL archives and asks for.
//
//   TTTTTTTTHHHHHHHHLLLLLLLL                  a segment
//   TTTTTTTTHHHHHHHHLLLLLLLL.partial          the unfinished last segment of a timeline left behind
//   TTTTTTTTHHHHHHHHLLLLLLLL.OOOOOOOO.backup  the label of a base backup that began at offset O
//   TTTTTTTT.history                          how a timeline came to be
//
// Every field is 8 upper-case hex digits: T timeline; H and L the segment number, split where
// 4 GiB of WAL are full (XLogFileName, src/include/access/xlog_internal.h).
#pragma once

#include "wal/lsn.h"

#include <bit>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace walden::wal {

/// A timeline; 1 is the first, 0 is invalid.
using TimelineId = std::uint32_t;

/// The size of a cluster's segments, chosen by initdb: a power of two from 1 MiB to 1 GiB.
class SegmentSize {
public:
    /// 16 MiB, initdb's default.
    constexpr SegmentSize() = default;

    /// nullopt unless PostgreSQL allows that size.
    [[nodiscard]] static constexpr std::optional<SegmentSize> from_bytes(std::uint64_t bytes) {
        if (!std::has_single_bit(bytes) || bytes < 1U << 20 || bytes > 1U << 30)
            return std::nullopt;
        return SegmentSize(static_cast<std::uint32_t>(bytes));
    }

    [[nodiscard]] constexpr std::uint32_t bytes() const { return bytes_; }

    /// How many segments make 4 GiB: the low field of a name is always below this.
    [[nodiscard]] constexpr std::uint32_t segments_per_log() const {
        return static_cast<std::uint32_t>((std::uint64_t{1} << 32) / bytes_);
    }

    friend constexpr bool operator==(SegmentSize, SegmentSize) = default;

private:
    constexpr explicit SegmentSize(std::uint32_t bytes) : bytes_(bytes) {}

    std::uint32_t bytes_ = 1U << 24;
};

/// One segment of one timeline.
struct SegmentName {
    TimelineId timeline = 0;
    std::uint64_t segment_number = 0;  ///< 0-based index of the segment in the WAL stream

    friend constexpr auto operator<=>(const SegmentName&, const SegmentName&) = default;
};

/// nullopt if `text` is not the name of a whole segment (see parse_wal_file_name for the others),
/// or one that a cluster with segments of this size never writes.
[[nodiscard]] std::optional<SegmentName> parse_segment_name(std::string_view text,
                                                            SegmentSize size);

[[nodiscard]] std::string to_string(const SegmentName& name, SegmentSize size);

/// The position of the segment's first byte (of its page header, not of a record).
[[nodiscard]] constexpr Lsn first_lsn(const SegmentName& name, SegmentSize size) {
    return {name.segment_number * size.bytes()};
}

/// The number of the segment that holds the byte at `lsn`.
[[nodiscard]] constexpr std::uint64_t segment_number_of(Lsn lsn, SegmentSize size) {
    return lsn.value / size.bytes();
}

/// The next segment of the same timeline.
[[nodiscard]] constexpr SegmentName next(const SegmentName& name) {
    return {name.timeline, name.segment_number + 1};
}

/// The segment before, of the same timeline; nullopt for segment 0.
[[nodiscard]] constexpr std::optional<SegmentName> previous(const SegmentName& name) {
    if (name.segment_number == 0) return std::nullopt;
    return SegmentName{name.timeline, name.segment_number - 1};
}

/// "0000000A" for timeline 10: the first field of every name, and a level of the vault's keys.
[[nodiscard]] std::string timeline_part(TimelineId timeline);

/// "0000000A.history" for timeline 10.
[[nodiscard]] std::string history_name(TimelineId timeline);

enum class WalFileKind : std::uint8_t { segment, partial, history, backup_label };

/// A parsed name that does not depend on the segment size yet: `log` and `low` are the second and
/// third fields as they stand. Fields that a kind does not have are 0.
struct WalFileName {
    WalFileKind kind = WalFileKind::segment;
    TimelineId timeline = 0;
    std::uint32_t log = 0;
    std::uint32_t low = 0;
    std::uint32_t backup_offset = 0;  ///< in the segment, only for backup_label

    friend constexpr auto operator<=>(const WalFileName&, const WalFileName&) = default;
};

/// Strict: a path, lower case, another length or suffix, or timeline 0 give nullopt (fault 26).
[[nodiscard]] std::optional<WalFileName> parse_wal_file_name(std::string_view text);

/// Inverts parse_wal_file_name.
[[nodiscard]] std::string to_string(const WalFileName& name);

/// The segment that a segment, partial or backup_label name speaks of. nullopt for a history file,
/// or if a cluster with segments of this size never writes such a name.
[[nodiscard]] std::optional<SegmentName> resolve_segment(const WalFileName& name, SegmentSize size);

}  // namespace walden::wal
