#include "wal/file_name.h"

#include "base/format.h"
#include "wal/number_text.h"

#include <algorithm>

namespace walden::wal {

namespace {

constexpr std::size_t field_size = 8;
constexpr std::size_t segment_name_size = 3 * field_size;

/// What follows the 24 digits; false if nothing that PostgreSQL writes has this suffix.
bool parse_suffix(std::string_view suffix, WalFileName& name) {
    if (suffix.empty()) return true;
    if (suffix == ".partial") {
        name.kind = WalFileKind::partial;
        return true;
    }
    if (suffix.front() != '.' ||
        suffix.substr(1 + std::min(suffix.size() - 1, field_size)) != ".backup")
        return false;
    const auto offset = parse_upper_hex(suffix.substr(1, field_size));
    if (!offset) return false;
    name.kind = WalFileKind::backup_label;
    name.backup_offset = *offset;
    return true;
}

}  // namespace

std::optional<SegmentName> parse_segment_name(std::string_view text, SegmentSize size) {
    const auto name = parse_wal_file_name(text);
    if (!name || name->kind != WalFileKind::segment) return std::nullopt;
    return resolve_segment(*name, size);
}

std::string to_string(const SegmentName& name, SegmentSize size) {
    return format("{:08X}{:08X}{:08X}", name.timeline,
                  name.segment_number / size.segments_per_log(),
                  name.segment_number % size.segments_per_log());
}

std::string timeline_part(TimelineId timeline) {
    return format("{:08X}", timeline);
}

std::string history_name(TimelineId timeline) {
    return timeline_part(timeline) + ".history";
}

std::optional<WalFileName> parse_wal_file_name(std::string_view text) {
    const auto timeline = parse_upper_hex(text.substr(0, field_size));
    if (!timeline || *timeline == 0) return std::nullopt;
    if (text.substr(field_size) == ".history")
        return WalFileName{.kind = WalFileKind::history, .timeline = *timeline};
    if (text.size() < segment_name_size) return std::nullopt;
    const auto log = parse_upper_hex(text.substr(field_size, field_size));
    const auto low = parse_upper_hex(text.substr(2 * field_size, field_size));
    if (!log || !low) return std::nullopt;
    WalFileName name{.timeline = *timeline, .log = *log, .low = *low};
    if (!parse_suffix(text.substr(segment_name_size), name)) return std::nullopt;
    return name;
}

std::string to_string(const WalFileName& name) {
    if (name.kind == WalFileKind::history) return format("{:08X}.history", name.timeline);
    std::string text = format("{:08X}{:08X}{:08X}", name.timeline, name.log, name.low);
    if (name.kind == WalFileKind::partial) text += ".partial";
    if (name.kind == WalFileKind::backup_label)
        text += format(".{:08X}.backup", name.backup_offset);
    return text;
}

std::optional<SegmentName> resolve_segment(const WalFileName& name, SegmentSize size) {
    if (name.kind == WalFileKind::history || name.low >= size.segments_per_log() ||
        name.backup_offset >= size.bytes())
        return std::nullopt;
    return SegmentName{name.timeline, std::uint64_t{name.log} * size.segments_per_log() + name.low};
}

}  // namespace walden::wal
