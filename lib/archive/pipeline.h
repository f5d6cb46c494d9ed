// Archives several files of one cluster at once, in PostgreSQL's order: what the agent runs.
//
// Preparing (read, check every record, content id, encode, seal) and putting contents go on in
// parallel. Entries, which make files visible, follow the rule "one line per timeline" of the
// design:
//
//  1. The first entry of a line is published alone, by the code of the single push: entry there
//     already?, claim, predecessor, contents, entry.
//  2. If that stored something, the segments that follow without a gap publish in parallel, at most
//     as many as there are threads. Each begins when the one before has begun, and names the
//     content id that the one before was prepared with. Two PUTs, nothing is asked.
//  3. A name that is taken in spite of that, by the same content, ends the line: somebody else
//     archives too, so the next one is published alone again and begins by asking.
//  4. The first failure stops everything behind it. Results are handed out in order, so nothing
//     behind a failure is ever told as archived, whether it is in the store or not.
//
// Files of other kinds (histories, labels, partial segments) are archived alone, between all
// others.
#pragma once

#include "archive/archiver.h"
#include "archive/prepare_gate.h"
#include "base/error.h"
#include "vault/cluster_vault.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace walden::archive {

struct PipelineOptions {
    std::size_t in_flight = 8;                    ///< files at once, each with a thread of its own
    std::size_t prepare_count = 2;                ///< of them, on the processor
    std::size_t memory = std::size_t{160} << 20;  ///< bytes for plain and sealed contents
    /// How long a line may go on without proving its claim again: an operator's adoption elsewhere
    /// is noticed at the latest after that time.
    std::chrono::milliseconds proof_valid_for{60'000};
};

/// What became of one file.
struct PipelineResult {
    enum class Kind : std::uint8_t {
        archived,  ///< durable in the store; `archive` tells more
        failed,    ///< `error` tells why
        stopped,   ///< not done, because a file before it failed: submit it again
    };

    Kind kind = Kind::stopped;
    ArchiveResult archive;
    std::optional<FileVersion> version;  ///< of the file that was read, if one was
    std::optional<Error> error;
};

/// Owns its threads. All functions are safe from several threads.
class Pipeline {
public:
    /// Called for each file submitted, in that order, by one thread at a time and without a lock;
    /// the file is out of the pipeline then. Must not throw.
    using Deliver = std::function<void(const FileSource& source, PipelineResult result)>;

    /// All references must outlive the object; `state` is used by nobody else meanwhile.
    Pipeline(const vault::ClusterVault& vault, LocalState& state, ArchiveSettings settings,
             PipelineOptions options, Deliver deliver);

    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;

    /// Stops what has not begun, waits for what has, and delivers all of it.
    ~Pipeline();

    /// How many failures there have been. Files that belong together are submitted with the number
    /// from before the first of them: so none can slip in behind a failed one.
    [[nodiscard]] std::uint64_t failure_count();

    /// Adds a file behind those submitted before. Bytes that it comes with are kept until it is
    /// delivered, beside the memory of the options. False, and nothing happens, if there has been
    /// another failure than `failure_count`, or the last one is being cleared: until everything
    /// submitted before is delivered.
    [[nodiscard]] bool submit(FileSource source, std::uint64_t failure_count);

    /// Files submitted and not delivered.
    [[nodiscard]] std::size_t in_flight();

    /// Bytes reserved for contents now.
    [[nodiscard]] std::size_t memory_in_use() { return gate_.memory_in_use(); }

private:
    using Clock = std::chrono::steady_clock;
    using Ticket = std::uint64_t;

    /// Thrown through a job that a failure before it stops.
    struct Stopped {};

    struct Job {
        Ticket ticket = 0;
        FileSource source;
    };

    /// The last segment that has begun to be published on the line that is open.
    struct Line {
        Ticket ticket = 0;
        wal::SegmentName segment;
        std::string file_name;
        crypto::ContentId content_id;
        Clock::time_point proven_at;
        bool is_open = false;  ///< the next segment needs no question
    };

    void work();
    [[nodiscard]] std::optional<Job> take_job();
    [[nodiscard]] PipelineResult run(const Job& job);
    [[nodiscard]] PipelineResult archive_file(const Job& job, PrepareGate::Admission& admission);
    [[nodiscard]] ArchiveResult archive_alone(const Job& job, StorableFile& file);
    [[nodiscard]] std::optional<ArchiveResult> publish_in_line(const Job& job, StorableFile& file,
                                                               PrepareGate::Admission& admission);
    void put(StorableFile& file, PrepareGate::Admission& admission) const;
    [[nodiscard]] std::optional<vault::Predecessor> await_turn(const Job& job,
                                                               const StorableFile& file);
    [[nodiscard]] bool await_line(const Job& job, const StorableFile& file);
    void await_alone(const Job& job);
    [[nodiscard]] bool continues_line(const Job& job, const StorableFile& file) const;
    [[nodiscard]] StorableFile prepare(const Job& job) const;
    void settle(const Job& job, PipelineResult result);
    void deliver_in_order(std::unique_lock<std::mutex>& lock);
    void require_not_stopped(Ticket ticket) const;
    [[nodiscard]] wal::SegmentName segment_of(const StorableFile& file) const;

    const vault::ClusterVault& vault_;
    Archiver archiver_;
    const PipelineOptions options_;
    const Deliver deliver_;
    PrepareGate gate_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<Ticket, Job> queue_;
    std::map<Ticket, std::pair<Job, PipelineResult>> settled_;
    /// Of segments that were archived in line: noted in the local state when they are delivered.
    std::map<Ticket, LastArchived> to_remember_;
    Ticket next_ = 0;               ///< of the next file submitted
    Ticket begun_ = 0;              ///< all before have begun to be published, or are settled
    Ticket delivered_ = 0;          ///< all before are delivered, or their delivery is under way
    std::optional<Ticket> failed_;  ///< all behind are stopped
    std::uint64_t failure_count_ = 0;
    std::optional<Line> line_;
    bool is_delivering_ = false;
    bool is_closing_ = false;
    std::vector<std::jthread> threads_;
};

}  // namespace walden::archive
