#include "recovery/prefetch_job.h"

#include "catalog/stored_lines.h"

#include <utility>

namespace walden::recovery {

namespace {

/// What lies ahead is told as far as this, and looked for again when recovery is there.
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

}  // namespace

JobResult perform(const PrefetchJob& job, const Source& source, const std::string& directory,
                  MemoryBudget& memory) {
    JobResult result{.segment_size = source.fetcher().segment_size()};
    if (job.purpose == Purpose::survey) {
        result.newest = catalog::find_line_end(source.vault(), *job.line, result.segment_size,
                                               job.segment->segment_number + 1, survey_count_max);
    } else if (job.purpose == Purpose::line) {
        result.history = catalog::guess_line(source.vault(), *job.segment, result.segment_size);
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
