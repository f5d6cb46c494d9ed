// Prints what the WAL reader sees, for comparison with pg_waldump and for measuring.
//
//   wal_dump_test records FILE...      "LSN rmgr info length previous" for each verified record;
//                                      several files are read as consecutive segments
//   wal_dump_test report FILE...       one line on how each segment ended
//   wal_dump_test loop COUNT FILE...   reads the segments COUNT times, prints GB/s of CPU time
//
// Files are named as PostgreSQL names them, .partial included. Not installed.
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "wal/record_reader.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

using namespace walden;
using namespace walden::wal;

namespace {

struct Segment {
    Bytes bytes;
    SegmentName name;
    SegmentSize size;
};

Segment load(const std::string& path) {
    auto bytes = read_file(path, std::size_t{1} << 30);
    if (!bytes) throw Error(ErrorKind::not_found, format("\"{}\" does not exist", path));
    const auto size = SegmentSize::from_bytes(bytes->size());
    const auto name = parse_wal_file_name(path.substr(path.rfind('/') + 1));
    if (!size || !name) throw Error(ErrorKind::usage, format("\"{}\" is no segment", path));
    const auto segment = resolve_segment(*name, *size);
    if (!segment) throw Error(ErrorKind::usage, format("\"{}\" is no segment", path));
    return {std::move(*bytes), *segment, *size};
}

void print_record(const RecordView& record) {
    std::printf("%s %u %u %u %s\n", to_string(record.lsn).c_str(), record.header.resource_manager,
                record.header.info, record.header.total_length,
                to_string(record.header.previous).c_str());
}

void print_report(const std::string& path, const SegmentReport& report) {
    const SegmentFacts& facts = report.facts;
    std::string text = format(
        "{} {} pg={} first={} end={} stop={} owed={} abandoned={} records={} bytes={} commits={} "
        "aborts={}",
        path.substr(path.rfind('/') + 1), to_string(report.end),
        report.header ? report.header->major_version : 0, to_string(report.first_record),
        to_string(report.valid_end), to_string(report.stopped_at), report.owed_by_previous,
        report.abandoned.size(), facts.record_count, facts.record_bytes, facts.commit_count,
        facts.abort_count);
    if (facts.end_times)
        text += format(" times={}..{}", facts.end_times->earliest, facts.end_times->latest);
    if (facts.xids) text += format(" xids={}..{}", facts.xids->oldest, facts.xids->newest);
    if (facts.last_checkpoint) text += format(" redo={}", to_string(facts.last_checkpoint->redo));
    for (const TimelineChange& change : facts.timeline_changes)
        text += format(" timeline={}->{}@{}", change.from, change.to, to_string(change.lsn));
    if (!report.reason.empty()) text += format(" ({})", report.reason);
    std::puts(text.c_str());
}

/// Reads consecutive segments, handing each the carry of the one before. False if one is damaged.
bool read_chain(const std::vector<std::string>& paths, bool with_records) {
    std::optional<SegmentCarry> carry;
    bool is_sound = true;
    for (const std::string& path : paths) {
        const Segment segment = load(path);
        if (carry && carry->position != first_lsn(segment.name, segment.size)) carry.reset();
        const SegmentInput input = {.bytes = segment.bytes,
                                    .name = segment.name,
                                    .segment_size = segment.size,
                                    .carry_in = carry ? &*carry : nullptr};
        const SegmentReport report =
            with_records ? read_segment(input, [](const RecordView& r) { print_record(r); })
                         : read_segment(input);
        if (!with_records) print_report(path, report);
        is_sound = is_sound && report.end != EndReason::damaged;
        if (!is_sound) std::fprintf(stderr, "%s: %s\n", path.c_str(), report.reason.c_str());
        carry = report.carry_out;
    }
    return is_sound;
}

void measure(int count, const std::vector<std::string>& paths) {
    std::vector<Segment> segments;
    std::uint64_t bytes = 0;
    for (const std::string& path : paths) {
        segments.push_back(load(path));
        bytes += segments.back().bytes.size();
    }
    std::uint64_t records = 0;
    double best = 1e9;
    for (int i = 0; i < count; ++i) {
        const std::clock_t start = std::clock();
        for (const Segment& segment : segments)
            records +=
                read_segment(
                    {.bytes = segment.bytes, .name = segment.name, .segment_size = segment.size})
                    .facts.record_count;
        best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    }
    std::printf("%zu segments, %.0f records each, %.2f GB/s (best of %d)\n", paths.size(),
                static_cast<double>(records) / count / static_cast<double>(paths.size()),
                static_cast<double>(bytes) / best / 1e9, count);
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> arguments(argv + 1, argv + argc);
    const std::string mode = arguments.empty() ? "" : arguments.front();
    if (arguments.size() < 2) {
        std::fputs("usage: wal_dump_test records|report FILE... | loop COUNT FILE...\n", stderr);
        return 2;
    }
    arguments.erase(arguments.begin());
    try {
        if (mode == "loop") {
            const int count = std::max(1, std::atoi(arguments.front().c_str()));
            arguments.erase(arguments.begin());
            measure(count, arguments);
            return 0;
        }
        return read_chain(arguments, mode == "records") ? 0 : 1;
    } catch (const Error& error) {
        std::fprintf(stderr, "wal_dump_test: error: %s\n", error.what());
        return 2;
    }
}
