#include "wal/stored_facts.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace walden::wal {

namespace {

constexpr std::uint16_t facts_version = 1;
constexpr std::size_t reason_size_max = 1000;

void write_time_range(ByteWriter& writer, const std::optional<TimeRange>& range) {
    writer.write(static_cast<std::uint8_t>(range ? 1 : 0));
    writer.write(static_cast<std::uint64_t>(range ? range->earliest : 0));
    writer.write(static_cast<std::uint64_t>(range ? range->latest : 0));
}

void write_xid_range(ByteWriter& writer, const std::optional<XidRange>& range) {
    writer.write(static_cast<std::uint8_t>(range ? 1 : 0));
    writer.write(range ? range->oldest : 0);
    writer.write(range ? range->newest : 0);
}

/// Days since 1970-01-01 to a civil date, by the 400-year cycle of the Gregorian calendar.
struct Date {
    std::int64_t year = 0;
    int month = 0;
    int day = 0;
};

Date to_date(std::int64_t days_since_1970) {
    constexpr std::int64_t days_per_cycle = 146'097;
    // Count from 0000-03-01, so that the leap day is the last day of a year.
    const std::int64_t days = days_since_1970 + 719'468;
    const std::int64_t cycle = (days >= 0 ? days : days - days_per_cycle + 1) / days_per_cycle;
    const std::int64_t day_of_cycle = days - cycle * days_per_cycle;
    const std::int64_t year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36'524 - day_of_cycle / 146'096) / 365;
    const std::int64_t day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
    Date date;
    date.day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    date.month =
        static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    date.year = year_of_cycle + cycle * 400 + (date.month <= 2 ? 1 : 0);
    return date;
}

}  // namespace

StoredFacts to_stored_facts(const SegmentReport& report) {
    StoredFacts stored{.end = report.end,
                       .major_version = 0,
                       .first_record = report.first_record,
                       .valid_end = report.valid_end,
                       .stopped_at = report.stopped_at,
                       .reason = report.reason.substr(0, reason_size_max),
                       .facts = report.facts};
    if (report.header) stored.major_version = report.header->major_version;
    return stored;
}

Bytes encode_facts(const StoredFacts& stored) {
    Bytes out;
    ByteWriter writer(out);
    writer.write(facts_version);
    writer.write(static_cast<std::uint8_t>(stored.end));
    writer.write(stored.major_version);
    for (const Lsn lsn : {stored.first_record, stored.valid_end, stored.stopped_at})
        writer.write(lsn.value);
    const SegmentFacts& facts = stored.facts;
    for (const std::uint64_t count :
         {facts.record_count, facts.record_bytes, facts.commit_count, facts.abort_count})
        writer.write(count);
    write_time_range(writer, facts.end_times);
    write_xid_range(writer, facts.xids);
    const CheckpointFact checkpoint = facts.last_checkpoint.value_or(CheckpointFact{});
    writer.write(checkpoint.lsn.value);
    writer.write(checkpoint.redo.value);
    writer.write(static_cast<std::uint32_t>(facts.timeline_changes.size()));
    for (const TimelineChange& change : facts.timeline_changes) {
        writer.write(change.lsn.value);
        writer.write(change.from);
        writer.write(change.to);
    }
    writer.write_text(stored.reason);
    return out;
}

std::optional<StoredFacts> decode_facts(ByteView bytes) {
    ByteReader reader(bytes);
    const auto version = reader.read<std::uint16_t>();
    const auto end = reader.read<std::uint8_t>();
    if (version < facts_version || end > static_cast<std::uint8_t>(EndReason::damaged))
        return std::nullopt;
    StoredFacts stored;
    stored.end = static_cast<EndReason>(end);
    stored.major_version = reader.read<std::uint8_t>();
    stored.first_record.value = reader.read<std::uint64_t>();
    stored.valid_end.value = reader.read<std::uint64_t>();
    stored.stopped_at.value = reader.read<std::uint64_t>();
    SegmentFacts& facts = stored.facts;
    facts.record_count = reader.read<std::uint64_t>();
    facts.record_bytes = reader.read<std::uint64_t>();
    facts.commit_count = reader.read<std::uint64_t>();
    facts.abort_count = reader.read<std::uint64_t>();
    const bool has_times = reader.read<std::uint8_t>() != 0;
    const TimeRange times{.earliest = static_cast<Timestamp>(reader.read<std::uint64_t>()),
                          .latest = static_cast<Timestamp>(reader.read<std::uint64_t>())};
    if (has_times) facts.end_times = times;
    const bool has_xids = reader.read<std::uint8_t>() != 0;
    const XidRange xids{.oldest = reader.read<std::uint32_t>(),
                        .newest = reader.read<std::uint32_t>()};
    if (has_xids) facts.xids = xids;
    CheckpointFact checkpoint;
    checkpoint.lsn.value = reader.read<std::uint64_t>();
    checkpoint.redo.value = reader.read<std::uint64_t>();
    if (checkpoint.lsn.is_valid()) facts.last_checkpoint = checkpoint;
    const auto changes = reader.read<std::uint32_t>();
    for (std::uint32_t i = 0; i < changes && reader.ok(); ++i) {
        TimelineChange change;
        change.lsn.value = reader.read<std::uint64_t>();
        change.from = reader.read<std::uint32_t>();
        change.to = reader.read<std::uint32_t>();
        facts.timeline_changes.push_back(change);
    }
    stored.reason = reader.read_text();
    if (!reader.ok()) return std::nullopt;
    return stored;
}

std::string to_utc_text(Timestamp time) {
    constexpr std::int64_t microseconds_per_day = 86'400'000'000;
    constexpr std::int64_t days_to_2000 = 10'957;  // from 1970-01-01
    std::int64_t days = time / microseconds_per_day;
    std::int64_t rest = time % microseconds_per_day;
    if (rest < 0) {
        rest += microseconds_per_day;
        --days;
    }
    const Date date = to_date(days + days_to_2000);
    const auto seconds = static_cast<int>(rest / 1'000'000);
    std::array<char, 64> text{};
    const int size =
        std::snprintf(text.data(), text.size(), "%04lld-%02d-%02d %02d:%02d:%02d.%06d+00",
                      static_cast<long long>(date.year), date.month, date.day, seconds / 3600,
                      seconds / 60 % 60, seconds % 60, static_cast<int>(rest % 1'000'000));
    return {text.data(), static_cast<std::size_t>(std::min<int>(size, 63))};
}

}  // namespace walden::wal
