// The agent's front: takes questions from a socket and has them answered.
#pragma once

#include "agent/protocol.h"
#include "agent/recoveries.h"
#include "agent/served_directory.h"
#include "agent/unix_socket.h"
#include "archive/look_ahead.h"
#include "base/awaiter.h"
#include "recovery/prefetcher.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace walden::agent {

struct ServerOptions {
    Caller self;         ///< whoever has another version or configuration is declined
    std::string pgdata;  ///< when it is gone, and nobody recovers, the agent leaves
    std::chrono::milliseconds idle_timeout{600'000};
    std::size_t connection_count = 16;  ///< served at once; more wait in the socket's queue
};

enum class LeaveReason : std::uint8_t {
    idle,        ///< nothing was asked for idle_timeout
    superseded,  ///< somebody with another version or configuration asked, and nothing is running
    asked,       ///< a stop was asked for
    no_data_directory,
    closed,  ///< close() was called
};

[[nodiscard]] std::string_view to_string(LeaveReason reason);

/// What answers the questions; both must outlive the server.
struct Services {
    archive::LookAhead& archive;
    Recoveries& recoveries;
};

/// Serves until there is a reason to leave.
class Server {
public:
    /// `listener` is a listening socket. Begins to serve at once.
    Server(FileDescriptor listener, Services services, ServerOptions options);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Takes no more questions, and waits for those being answered.
    ~Server();

    /// Waits until the agent should leave. From then on nobody can connect.
    [[nodiscard]] LeaveReason wait();

    /// Ends wait().
    void close();

private:
    using Clock = std::chrono::steady_clock;

    /// Nothing is sent if the message is empty. The file is kept open until it was passed.
    struct Reply {
        Bytes message;
        std::shared_ptr<const recovery::NamelessFile> file{};
    };

    void serve();
    void serve(const FileDescriptor& connection);
    void serve_with_spare();
    void answer(int fd);
    [[nodiscard]] Reply answer_question(const Question& question, const KeepWaiting& keep_waiting);
    [[nodiscard]] Bytes answer_archive(const Question& question, const KeepWaiting& keep_waiting);
    [[nodiscard]] Bytes answer_flush(const KeepWaiting& keep_waiting);
    [[nodiscard]] Reply answer_fetch(const Question& question, const KeepWaiting& keep_waiting);
    [[nodiscard]] AgentStatus status();
    [[nodiscard]] bool is_working();
    void stop_working_ahead();
    /// What is no question; the next one of another protocol version finds another agent.
    [[nodiscard]] Bytes refuse(const Received& received);
    [[nodiscard]] std::optional<Declined> find_objection(const Question& question);
    void notice_exchange();
    [[nodiscard]] bool has_lost_data_directory();
    [[nodiscard]] Bytes decline(const std::string& why);
    void leave(LeaveReason reason);
    void refuse_connections();
    void note_use();

    FileDescriptor listener_;
    const Services services_;
    const ServerOptions options_;
    const std::uint64_t started_at_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<LeaveReason> leaves_;
    Clock::time_point last_used_;
    std::optional<DataDirectory> data_directory_;  ///< as it was seen last
    std::uint64_t declined_count_ = 0;
    std::string last_declined_;
    std::size_t busy_count_ = 0;
    std::atomic<bool> is_closing_{false};

    std::mutex spare_mutex_;
    FileDescriptor spare_;  ///< given up for a question when there is no other

    std::vector<std::jthread> threads_;
};

}  // namespace walden::agent
