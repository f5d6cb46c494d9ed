// The archive side of the agent: works ahead of PostgreSQL's archiver.
//
// A question for a file that is done is answered at once. Any question makes it look ahead at
// archive_status and archive what is ready, in PostgreSQL's order, until nothing is left or a file
// fails. Results are kept by the version of the file that was read, until PostgreSQL has got its
// answer and made .ready to .done. Failures are not kept: asked again, a file is tried again.
//
// Nothing here matters beyond the process: the truth is in the store and in archive_status, neither
// of which is changed by anything but archiving a file.
//
// What is decided about files is in ready_queue.h, figures are in archive_pace.h, the archive is in
// kept_pipeline.h. Here are the thread, those who wait, and what is counted.
#pragma once

#include "archive/archive_pace.h"
#include "archive/kept_pipeline.h"
#include "archive/look_ahead_answer.h"
#include "archive/ready_queue.h"
#include "base/awaiter.h"
#include "base/error.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace walden::archive {

struct LookAheadOptions {
    std::string wal_directory;
    PipelineOptions pipeline;
    /// How long an opened archive is used: then the store's identity, the key and the cluster's
    /// registration are proven again, and rotated keys are noticed.
    std::chrono::milliseconds open_valid_for{300'000};
};

/// Safe from several threads. One mutex guards the queue, the pace and the counts; it is not held
/// while an archive is opened or a file archived, nor while an asker is called back.
class LookAhead {
public:
    using Open = KeptPipeline::Open;

    LookAhead(LookAheadOptions options, Open open);
    LookAhead(const LookAhead&) = delete;
    LookAhead& operator=(const LookAhead&) = delete;

    /// Waits for files that are being archived; nobody may be waiting in archive() or flush().
    ~LookAhead();

    /// nullopt: the asker has gone.
    using Answer = std::optional<ReadyQueue::Answer>;

    /// Returns when the file is durable, or has failed. `version` is the asker's: for another one
    /// under that name the answer is OtherFile.
    [[nodiscard]] Answer archive(const std::string& name, const FileVersion& version,
                                 const KeepWaiting& keep_waiting);

    /// Returns when everything that is ready now is durable: how many files that were; or what
    /// failed first. Throws Error(io) if archive_status cannot be read.
    [[nodiscard]] std::optional<std::variant<std::uint64_t, Error>> flush(
        const KeepWaiting& keep_waiting);

    [[nodiscard]] LookAheadStatus status();

    /// Whether nothing is being archived and nobody waits.
    [[nodiscard]] bool is_idle();

    /// From now on nothing is begun that nobody asked for.
    void stop_looking_ahead();

    /// Something has changed: the archive is opened anew before the next file.
    void distrust() { kept_.distrust(); }

    /// Counts a call of the store that is tried again.
    void note_retry();

private:
    using Clock = std::chrono::steady_clock;
    using Lock = std::unique_lock<std::mutex>;

    void feed();
    [[nodiscard]] bool provide_pipeline(Lock& lock);
    void list_ready(Lock& lock);
    void submit(Lock& lock, const std::string& name);
    void take_result(const std::string& name, const PipelineResult& result);
    void note_archived(const std::string& name, const PipelineResult& result);
    void note_failure(const Error& error);
    [[nodiscard]] bool await_flush(Lock& lock, std::vector<std::string>& names,
                                   std::uint64_t failure_count, const KeepWaiting& keep_waiting);
    [[nodiscard]] FileSource source_of(const std::string& name) const;

    const LookAheadOptions options_;
    KeptPipeline kept_;  ///< is used without the mutex: opening and submitting take time

    std::mutex mutex_;                 ///< guards what follows, up to the counts
    std::condition_variable changed_;  ///< of anything that the feeder or an asker waits for
    ReadyQueue queue_;
    ArchivePace pace_;
    std::uint64_t flush_count_ = 0;  ///< that wait now
    bool is_closing_ = false;
    LookAheadStatus counts_;

    std::jthread feeder_;
};

}  // namespace walden::archive
