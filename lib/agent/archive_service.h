// The archive side of the agent: works ahead of PostgreSQL's archiver.
//
// A question for a file that is done is answered at once. Any question makes the service look ahead
// at archive_status and archive what is ready, in PostgreSQL's order, until nothing is left or a
// file fails. Results are kept by the identity of the file that was read, until PostgreSQL has got
// its answer and made .ready to .done. Failures are not kept: asked again, a file is tried again.
//
// Nothing here matters beyond the process: the truth is in the store and in archive_status, neither
// of which is changed by anything but archiving a file.
#pragma once

#include "agent/protocol.h"
#include "archive/pipeline.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace walden::agent {

/// An opened archive of the cluster: what a push opens for each file.
class OpenArchive {
public:
    OpenArchive() = default;
    OpenArchive(const OpenArchive&) = delete;
    OpenArchive& operator=(const OpenArchive&) = delete;
    virtual ~OpenArchive() = default;

    [[nodiscard]] virtual const vault::ClusterVault& vault() const = 0;
    [[nodiscard]] virtual archive::LocalState& state() = 0;
    [[nodiscard]] virtual archive::ArchiveSettings settings() const = 0;
};

struct ServiceOptions {
    std::string wal_directory;
    archive::PipelineOptions pipeline;
    /// How long an opened archive is used: then the store's identity, the key and the cluster's
    /// registration are proven again, and rotated keys are noticed.
    std::chrono::milliseconds open_valid_for{300'000};
};

/// Safe from several threads.
class ArchiveService {
public:
    /// Called by a thread of the service, one at a time. Throws Error.
    using Open = std::function<std::unique_ptr<OpenArchive>()>;

    ArchiveService(ServiceOptions options, Open open);
    ArchiveService(const ArchiveService&) = delete;
    ArchiveService& operator=(const ArchiveService&) = delete;

    /// Waits for files that are being archived; nobody may be waiting in archive() or flush().
    ~ArchiveService();

    /// Called every half second while somebody waits, without a lock. False if nobody does any
    /// more.
    using KeepWaiting = std::function<bool()>;

    /// nullopt: the asker has gone.
    using ArchiveAnswer = std::optional<std::variant<Archived, Error, Declined>>;

    /// Returns when the file is durable, or has failed. `identity` is the asker's: another file
    /// under that name is declined.
    [[nodiscard]] ArchiveAnswer archive(const std::string& name,
                                        const archive::SourceIdentity& identity,
                                        const KeepWaiting& keep_waiting);

    /// Returns when everything that is ready now is durable: how many files that were; or what
    /// failed first.
    [[nodiscard]] std::optional<std::variant<std::uint64_t, Error>> flush(
        const KeepWaiting& keep_waiting);

    /// All but version and times of the process.
    [[nodiscard]] AgentStatus status();

    /// Whether nothing is being archived and nobody waits.
    [[nodiscard]] bool is_idle();

    /// From now on nothing is begun that nobody asked for.
    void stop_looking_ahead();

    /// Counts a call of the store that is tried again.
    void note_retry();

private:
    struct Done {
        archive::SourceIdentity identity;
        Archived answer;
    };

    /// Somebody who waits for one file.
    struct Asker {
        archive::SourceIdentity identity;
        ArchiveAnswer answer;
    };

    /// A file archived a moment ago, for the rates.
    struct Recent {
        std::chrono::steady_clock::time_point at;
        std::uint64_t plain_size = 0;
    };

    /// The backlog at some moment, for its growth.
    struct Sample {
        std::chrono::steady_clock::time_point at;
        std::uint64_t ready_count = 0;
    };

    void feed();
    [[nodiscard]] bool has_work() const;
    [[nodiscard]] std::optional<std::string> next_file(std::unique_lock<std::mutex>& lock);
    void scan(std::unique_lock<std::mutex>& lock);
    [[nodiscard]] bool provide_pipeline(std::unique_lock<std::mutex>& lock);
    void submit(std::unique_lock<std::mutex>& lock, const std::string& name);
    void take_result(const std::string& path, archive::PipelineResult result);
    void note_archived(const std::string& name, archive::PipelineResult& result);
    void note_failure(const Error& error);
    void answer_askers(const std::string& name, const ArchiveAnswer& answer);
    void fail_all(const Error& error);
    void note_backlog(std::uint64_t ready_count);
    [[nodiscard]] std::int64_t growth_per_hour() const;
    [[nodiscard]] std::string path_of(const std::string& name) const;

    const ServiceOptions options_;
    const Open open_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, Done> done_;
    std::multimap<std::string, std::shared_ptr<Asker>> askers_;
    std::set<std::string> running_;  ///< in the pipeline
    std::deque<std::string> ahead_;  ///< ready when last looked, not begun yet
    bool looks_ahead_ = false;
    bool may_look_ahead_ = true;
    bool needs_scan_ = false;
    bool is_blocked_ = false;  ///< a failure is being cleared
    bool is_closing_ = false;
    std::uint64_t flush_count_ = 0;    ///< that wait now
    std::uint64_t failure_epoch_ = 0;  ///< of the pipeline, for what is submitted
    AgentStatus counts_;
    std::deque<Recent> recent_;
    std::deque<Sample> samples_;
    std::chrono::steady_clock::time_point opened_at_;
    bool must_reopen_ = false;

    std::unique_ptr<OpenArchive> archive_;         ///< the feeding thread's alone
    std::unique_ptr<archive::Pipeline> pipeline_;  ///< made by the feeding thread, under the mutex
    std::jthread feeder_;
};

}  // namespace walden::agent
