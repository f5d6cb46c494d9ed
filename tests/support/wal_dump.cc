// Prints what the WAL reader sees, for comparison with pg_waldump and for measuring.
//
//   wal_dump_test records FILE...      "LSN rmgr info length previous" for each verified record;
//                                      several files are read as consecutive segments
//   wal_dump_test report FILE...       one line on how each segment ended
//   wal_dump_test references FILE...   the block references of consecutive segments, decoded from
//                                      their bytes, one fork and run a line
//   wal_dump_test references-alone FILE...  the same, no segment knowing of the one before
//   wal_dump_test loop COUNT FILE...   reads the segments COUNT times, in turns with and without
//                                      gathering references, prints GB/s of CPU time
//
// Files are named as PostgreSQL names them, .partial included. Not installed.
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "wal/block_references.h"
#include "wal/record_reader.h"
#include "wal/segment_examiner.h"

#include <algorithm>
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

void print_references(const BlockReferences& list, std::size_t size) {
    std::printf("list %s %s open=%d carried=%d notes=%d shift=%d size=%zu\n",
                to_string(list.begin).c_str(), to_string(list.end).c_str(), list.is_open ? 1 : 0,
                static_cast<int>(list.carried), list.notes, list.shift, size);
    for (const std::uint32_t tablespace : list.tablespaces)
        std::printf("tablespace %u\n", tablespace);
    for (const DatabaseFiles& files : list.databases)
        std::printf("database %u %u\n", files.tablespace, files.database);
    for (const ForkReferences& fork : list.forks) {
        const RelationFork& relation = fork.relation;
        const std::string name = format("{} {} {} {}", relation.tablespace, relation.database,
                                        relation.relation, relation.fork);
        if (fork.limit != no_limit) std::printf("limit %s %u\n", name.c_str(), fork.limit);
        for (const BlockRun& run : fork.runs)
            std::printf("blocks %s %u %u\n", name.c_str(), run.first, run.count);
    }
}

/// The last bytes of `segment` if it is the one before `name`.
ByteView end_of(const std::optional<Segment>& segment, SegmentName name) {
    if (!segment || segment->name.segment_number + 1 != name.segment_number) return {};
    return ByteView(segment->bytes).last(previous_end_size);
}

void print_all_references(const std::vector<std::string>& paths, bool with_previous) {
    std::optional<Segment> previous;
    for (const std::string& path : paths) {
        Segment segment = load(path);
        const ByteView end = with_previous ? end_of(previous, segment.name) : ByteView();
        const BlockReferences list = collect_block_references(
            {.bytes = segment.bytes, .name = segment.name, .segment_size = segment.size}, end);
        const Bytes bytes = encode_block_references(list);
        print_references(decode_block_references(bytes), bytes.size());
        previous = std::move(segment);
    }
}

/// Least CPU seconds of one pass over all segments.
template <class Body>
void time_pass(const std::vector<Segment>& segments, double& best, const Body& body) {
    const std::clock_t start = std::clock();
    for (const Segment& segment : segments)
        body({.bytes = segment.bytes, .name = segment.name, .segment_size = segment.size});
    best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
}

void measure(int count, const std::vector<std::string>& paths) {
    std::vector<Segment> segments;
    std::uint64_t bytes = 0;
    for (const std::string& path : paths) {
        segments.push_back(load(path));
        bytes += segments.back().bytes.size();
    }
    std::uint64_t records = 0;
    double plain = 1e9;
    double with_references = 1e9;
    for (int i = 0; i < count; ++i) {
        time_pass(segments, plain, [&](const SegmentInput& input) {
            records += read_segment(input).facts.record_count;
        });
        time_pass(segments, with_references, [&](const SegmentInput& input) {
            records +=
                encode_block_references(collect_block_references(input)).size() > 0 ? 0U : 1U;
        });
    }
    const auto segment_count = static_cast<double>(paths.size());
    std::printf(
        "%zu segments, %.0f records each, %.2f GB/s, with references %.2f GB/s; %.2f and "
        "%.2f ms a segment (best of %d)\n",
        paths.size(), static_cast<double>(records) / count / segment_count,
        static_cast<double>(bytes) / plain / 1e9,
        static_cast<double>(bytes) / with_references / 1e9, plain / segment_count * 1e3,
        with_references / segment_count * 1e3, count);
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> arguments(argv + 1, argv + argc);
    const std::string mode = arguments.empty() ? "" : arguments.front();
    if (arguments.size() < 2) {
        std::fputs(
            "usage: wal_dump_test records|report|references|references-alone FILE... | "
            "loop COUNT FILE...\n",
            stderr);
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
        if (mode.starts_with("references")) {
            print_all_references(arguments, mode == "references");
            return 0;
        }
        return read_chain(arguments, mode == "records") ? 0 : 1;
    } catch (const Error& error) {
        std::fprintf(stderr, "wal_dump_test: error: %s\n", error.what());
        return 2;
    }
}
