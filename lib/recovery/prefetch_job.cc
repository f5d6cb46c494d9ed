#include "recovery/prefetch_job.h"

#include "recovery/stored_lines.h"

#include <string_view>
#include <utility>

namespace walden::recovery {

namespace {

constexpr std::size_t survey_count_max = 100'000;

/// What the reading of a file takes: a copy of the plain bytes at most, in which the codec works,
/// the object and what it holds, opened.
std::uint64_t memory_for(const vault::Entry& entry) {
    return entry.plain_size + 2 * entry.stored_size();
}

/// What is ahead decides nothing, so an entry is enough to tell whether it is there.
std::optional<vault::Entry> find(const PrefetchJob& job, const Source& source) {
    if (job.purpose == Purpose::ahead) return source.fetcher().find_entry(job.name);
    auto entry = source.fetcher().locate(job.name);
    if (!entry) source.prove_identity();
    return entry;
}

/// The newest segment of the line, counted from where the server stands.
std::optional<wal::SegmentName> find_newest(const PrefetchJob& job, const Source& source) {
    const vault::ClusterLayout& layout = source.vault().layout();
    const wal::SegmentSize size = source.fetcher().segment_size();
    const wal::TimelineId timeline = job.line->timeline();
    const bool is_there = timeline == job.segment->timeline;
    std::optional<wal::SegmentName> newest;
    std::size_t count = 0;
    source.vault().storage().list(
        layout.timeline_prefix(wal::timeline_part(timeline)),
        is_there ? layout.segment_key(to_string(*job.segment, size)) : "",
        [&](const vault::ObjectInfo& object) {
            const auto name = wal::parse_segment_name(
                std::string_view(object.key).substr(object.key.find_last_of('/') + 1), size);
            if (name) newest = name;
            return ++count < survey_count_max;
        });
    return newest;
}

}  // namespace

JobResult perform(const PrefetchJob& job, const Source& source, const std::string& directory,
                  MemoryBudget& memory) {
    JobResult result{.segment_size = source.fetcher().segment_size()};
    if (job.purpose == Purpose::survey) {
        result.newest = find_newest(job, source);
    } else if (job.purpose == Purpose::line) {
        result.history = guess_line(source.vault(), *job.segment, result.segment_size);
    } else {
        auto entry = find(job, source);
        if (!entry) return result;
        const MemoryBudget::Share share(memory, memory_for(*entry));
        const auto file = std::make_shared<NamelessFile>(directory);
        result.history = source.fetcher().show(
            job.name, *entry,
            [&](std::size_t offset, ByteView part) { file->write_at(offset, part); });
        file->complete(entry->plain_size,
                       job.purpose == Purpose::ahead ? DiskWrite::complete : DiskWrite::begun);
        result.file = file;
    }
    result.outcome = JobResult::Outcome::ready;
    return result;
}

}  // namespace walden::recovery
