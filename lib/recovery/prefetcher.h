// The recovery side of the agent: fetches ahead of a server that replays.
//
// Each question is answered as Fetcher answers it. If the file was fetched, decoded and proven
// while the server replayed the ones before, the answer is there at once; if not, it is fetched
// now, before all that nobody has asked for. Only what is there is ever kept: "not there" and every
// failure are found out anew for each question, so what is prefetched, or fails to be, decides
// nothing (invariants 16, 18, 19).
//
// One stream of segments is kept ahead, for the server of one data directory. It begins with the
// first segment that a server in recovery asks for, follows its line of descent, is as deep as its
// pace asks for, and ends when the server is gone or no longer in recovery. Behind the end of WAL
// nothing is tried until the server asks again.
#pragma once

#include "base/error.h"
#include "recovery/fetcher.h"
#include "recovery/nameless_file.h"
#include "recovery/prefetch_answer.h"
#include "recovery/recovery_line.h"
#include "recovery/replay_pace.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace walden::recovery {

/// An opened archive of the cluster: what walden-fetch opens for each file. Used by several threads
/// at once.
class Source {
public:
    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    virtual ~Source() = default;

    [[nodiscard]] virtual const Fetcher& fetcher() const = 0;
    [[nodiscard]] virtual const vault::ClusterVault& vault() const = 0;

    /// Asks the store who it is. Throws unless it is, now, the one that was opened: a directory
    /// that has been unmounted meanwhile is empty, and says "not there" of everything (invariant
    /// 16).
    virtual void prove_identity() const = 0;

    /// Whether the data directory still is of the cluster that this archive was opened for.
    [[nodiscard]] virtual bool is_current() const = 0;
};

struct PrefetchOptions {
    std::string directory{};                            ///< pg_wal
    std::uint64_t size = std::uint64_t{256} << 20;      ///< bytes ahead at most; 0: none
    std::uint64_t memory = std::uint64_t{160} << 20;    ///< for files being fetched
    std::size_t in_flight = 8;                          ///< segments fetched at once
    std::chrono::milliseconds open_valid_for{300'000};  ///< as ServiceOptions's
    std::chrono::milliseconds look_interval{5'000};     ///< at the server, while there is a stream
    /// Whether the server runs and is in recovery.
    std::function<bool()> is_recovering = [] { return true; };
    /// One line about the stream's beginning and end, and what went wrong ahead.
    std::function<void(const std::string&)> observe = [](const std::string&) {};
};

/// Safe from several threads.
class Prefetcher {
public:
    /// Called by any thread of the object, one at a time. Throws Error.
    using Open = std::function<std::shared_ptr<Source>()>;

    Prefetcher(PrefetchOptions options, Open open);
    Prefetcher(const Prefetcher&) = delete;
    Prefetcher& operator=(const Prefetcher&) = delete;

    /// Waits for what is being fetched; nobody may be waiting in fetch().
    ~Prefetcher();

    /// Called every half second while somebody waits, without a lock. False if nobody does any
    /// more.
    using KeepWaiting = std::function<bool()>;

    /// nullopt: the asker has gone. An Error is what Fetcher throws, or opening the archive.
    using Answer = std::optional<std::variant<Delivery, NotThere, Error>>;

    /// The answer to the question of a server for its own recovery.
    [[nodiscard]] Answer fetch(const std::string& file_name, const KeepWaiting& keep_waiting);

    [[nodiscard]] PrefetchStatus status();

    /// Whether nothing is being fetched and nobody waits.
    [[nodiscard]] bool is_idle();

    /// Drops what is ahead, and begins nothing any more that nobody asked for.
    void stop_prefetching();

private:
    using Clock = std::chrono::steady_clock;

    enum class State : std::uint8_t { waiting, running, ready, absent, failed };
    enum class Purpose : std::uint8_t { answer, ahead, survey };

    struct Job {
        std::string name;
        Purpose purpose = Purpose::answer;
        std::optional<wal::SegmentName> segment{};  ///< of one that is ahead
        State state = State::waiting;
        std::shared_ptr<const NamelessFile> file{};
        std::optional<wal::TimelineHistory> history{};  ///< that was fetched; of a survey, the line
        std::optional<Error> error{};
        Clock::time_point began_at{};
        Clock::time_point ended_at{};
        std::optional<wal::SegmentName> newest{};  ///< what a survey found
    };

    using JobPointer = std::shared_ptr<Job>;

    struct Stream {
        RecoveryLine line;
        std::optional<wal::SegmentName> last{};  ///< delivered
        Clock::time_point answered_at{};
        std::optional<wal::SegmentName> newest{};  ///< in the archive, when it was looked for
        std::optional<Clock::time_point> surveyed_at{};
    };

    // Of the threads.
    void start_threads();
    void work(bool takes_all);
    void watch();
    [[nodiscard]] JobPointer next_job(bool takes_all);
    [[nodiscard]] JobPointer next_ahead();
    [[nodiscard]] JobPointer next_survey();
    void run(std::unique_lock<std::mutex>& lock, const JobPointer& job);
    [[nodiscard]] State perform(Job& job);
    [[nodiscard]] State answer_with(Job& job, const Source& source,
                                    std::optional<vault::Entry> entry);
    void survey(Job& job, const Source& source) const;
    void finish(const JobPointer& job, State state);
    [[nodiscard]] std::shared_ptr<Source> provide_source();
    void drop_foreign_source();

    // With the mutex held.
    [[nodiscard]] bool await(std::unique_lock<std::mutex>& lock, const JobPointer& job,
                             const KeepWaiting& keep_waiting);
    [[nodiscard]] Answer answer(std::unique_lock<std::mutex>& lock, const std::string& name,
                                const KeepWaiting& keep_waiting);
    [[nodiscard]] std::optional<Delivery> take(const JobPointer& job, bool was_ready);
    void note_question(const std::string& name);
    void note_answer(const std::string& name, const Answer& answer);
    void note_delivery(const std::string& name, Origin origin);
    [[nodiscard]] bool provide_stream();
    void forget_what_is_over();
    void end_stream();
    [[nodiscard]] std::size_t depth_max() const;

    const PrefetchOptions options_;
    const Open open_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<JobPointer> asked_;             ///< not begun yet
    std::map<std::string, JobPointer> ahead_;  ///< by name; of the stream, in every state
    std::optional<Stream> stream_;
    ReplayPace pace_;
    wal::SegmentSize segment_size_;  ///< the archive's, once it was opened
    std::uint64_t memory_in_use_ = 0;
    std::uint64_t running_count_ = 0;
    std::uint64_t asker_count_ = 0;
    bool may_prefetch_ = true;
    bool is_closing_ = false;
    PrefetchStatus counts_;

    std::mutex open_mutex_;
    std::shared_ptr<Source> source_;
    Clock::time_point opened_at_;
    bool must_reopen_ = false;

    std::vector<std::jthread> threads_;
};

}  // namespace walden::recovery
