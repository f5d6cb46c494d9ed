#include "agent/agent_server.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/thread_crew.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace walden::agent {

namespace {

/// A question is a few hundred bytes of somebody on this machine.
constexpr std::chrono::seconds question_deadline{5};
constexpr std::chrono::seconds answer_deadline{5};
constexpr std::chrono::seconds look_interval{5};
constexpr std::chrono::milliseconds shortest_look{10};

/// A descriptor that is kept to be given up.
FileDescriptor open_spare() {
    return FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

bool is_out_of_descriptors() {
    return errno == EMFILE || errno == ENFILE;
}

/// The next connection. Invalid, and errno set, if there is none: then another try waits a moment,
/// until what is being answered gives something back.
FileDescriptor accept_connection(const FileDescriptor& listener) {
    FileDescriptor fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (fd.valid()) return fd;
    const int error_number = errno;
    if (is_out_of_descriptors() || errno == ENOBUFS || errno == ENOMEM)
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    errno = error_number;
    return fd;
}

/// VmRSS of this process, bytes; 0 if unknown.
std::uint64_t resident_memory() {
    try {
        const FileDescriptor fd(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
        if (!fd.valid()) return 0;
        const Bytes text = read_range(fd.get(), 0, 128, "/proc/self/statm");
        std::uint64_t pages = 0;
        std::size_t field = 0;
        for (const char c : as_text(text)) {
            if (c == ' ') {
                if (++field > 1) break;
            } else if (field == 1 && c >= '0' && c <= '9') {
                pages = pages * 10 + static_cast<std::uint64_t>(c - '0');
            }
        }
        return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    } catch (const Error&) {
        return 0;
    }
}

}  // namespace

std::string_view to_string(LeaveReason reason) {
    switch (reason) {
        case LeaveReason::idle: return "nothing to do";
        case LeaveReason::superseded: return "another version or configuration is in use";
        case LeaveReason::asked: return "asked to stop";
        case LeaveReason::no_data_directory: return "the data directory is gone";
        case LeaveReason::closed: return "closed";
    }
    return "unknown";
}

Server::Server(FileDescriptor listener, Services services, ServerOptions options)
    : listener_(std::move(listener)),
      services_(services),
      options_(std::move(options)),
      started_at_(static_cast<std::uint64_t>(std::time(nullptr))),
      last_used_(Clock::now()),
      data_directory_(find_data_directory(options_.pgdata)),
      spare_(open_spare()) {
    threads_ = start_crew(options_.connection_count, [this] { serve(); });
}

Server::~Server() {
    refuse_connections();
    threads_.clear();
}

/// Wakes all that wait in accept(2); whoever is in the queue sees the connection closed.
void Server::refuse_connections() {
    is_closing_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
}

void Server::close() {
    leave(LeaveReason::closed);
}

void Server::leave(LeaveReason reason) {
    const std::lock_guard lock(mutex_);
    if (!leaves_) leaves_ = reason;
    changed_.notify_all();
}

/// Where another data directory has come to the configured place, as a restore brings it, the agent
/// serves that: what it knows of files is believed of no others (FileVersion, DataDirectory), and
/// the archive may be another cluster's.
void Server::notice_exchange() {
    const auto now = find_data_directory(options_.pgdata);
    if (!now) return;
    const std::lock_guard lock(mutex_);
    if (data_directory_ && data_directory_ != now) services_.archive.distrust();
    data_directory_ = now;
}

/// With the mutex held: whether the configured data directory was there and is not any more.
bool Server::has_lost_data_directory() {
    return data_directory_ && !find_data_directory(options_.pgdata) &&
           services_.recoveries.is_idle();
}

LeaveReason Server::wait() {
    std::unique_lock lock(mutex_);
    for (;;) {
        // Not at once when that is over: somebody is looking at the status just now.
        const auto idle_at =
            std::max(last_used_ + options_.idle_timeout, Clock::now() + shortest_look);
        changed_.wait_until(lock, std::min(Clock::now() + look_interval, idle_at), [&] {
            return leaves_ && (*leaves_ != LeaveReason::superseded || busy_count_ == 0);
        });
        const bool has_work = is_working();
        const bool is_idle = busy_count_ == 0 && !has_work;
        if (has_work) last_used_ = Clock::now();
        if (!leaves_ && has_lost_data_directory()) leaves_ = LeaveReason::no_data_directory;
        if (!leaves_ && is_idle && Clock::now() >= last_used_ + options_.idle_timeout)
            leaves_ = LeaveReason::idle;
        if (!leaves_ || (*leaves_ == LeaveReason::superseded && !is_idle)) continue;
        lock.unlock();
        refuse_connections();
        return *leaves_;
    }
}

void Server::serve() {
    while (!is_closing_) {
        if (const FileDescriptor fd = accept_connection(listener_); fd.valid())
            serve(fd);
        else if (is_out_of_descriptors())
            serve_with_spare();
    }
}

/// Where there is no descriptor left, the spare one makes room for one question at a time: an agent
/// that cannot even be asked to stop would stay for ever.
void Server::serve_with_spare() {
    const std::lock_guard lock(spare_mutex_);
    if (is_closing_) return;
    spare_ = FileDescriptor();
    {
        const FileDescriptor fd = accept_connection(listener_);
        if (fd.valid()) serve(fd);
    }
    spare_ = open_spare();
}

void Server::serve(const FileDescriptor& connection) {
    if (is_closing_) return;
    {
        const std::lock_guard lock(mutex_);
        ++busy_count_;
    }
    answer(connection.get());
    const std::lock_guard lock(mutex_);
    --busy_count_;
    changed_.notify_all();
}

void Server::answer(int fd) {
    Reply reply;
    bool must_stop = false;
    const auto working = encode_message(MessageType::working, {});
    const auto keep_waiting = [&] {
        return send_message(fd, working, Clock::now() + answer_deadline);
    };
    try {
        const auto user = peer_user(fd);
        if (!user || (*user != ::geteuid() && *user != 0)) {
            reply.message =
                encode_declined({.reason = DeclineReason::user,
                                 .text = "the agent serves its own user and root only"});
        } else {
            const Received received = receive_message(fd, Clock::now() + question_deadline);
            if (received.receipt == Receipt::closed) return;
            const auto question = received.receipt == Receipt::message
                                      ? decode_question(received.header, received.body)
                                      : std::nullopt;
            // Whatever its version may be, who wants an agent stopped has it stopped.
            must_stop = received.receipt == Receipt::message &&
                        received.header.type == static_cast<std::uint16_t>(MessageType::stop);
            if (question)
                reply = answer_question(*question, keep_waiting);
            else
                reply.message = refuse(received);
        }
    } catch (const Error& error) {
        reply.message = encode_failed(error);
    } catch (const std::exception& error) {
        reply.message = encode_failed(Error(ErrorKind::io, error.what()));
    }
    if (!reply.message.empty())
        static_cast<void>(send_message(fd, reply.message, Clock::now() + answer_deadline,
                                       reply.file ? reply.file->fd() : -1));
    // The process may end at once.
    if (must_stop) leave(LeaveReason::asked);
}

Bytes Server::refuse(const Received& received) {
    const auto type = static_cast<MessageType>(received.header.type);
    const bool is_looking = type == MessageType::status || type == MessageType::stop;
    const bool is_of_another_version =
        received.receipt == Receipt::message && !is_looking &&
        received.header.version != protocol_version &&
        decode_caller_version(received.body).value_or(options_.self.version) !=
            options_.self.version;
    if (is_of_another_version) {
        stop_working_ahead();
        leave(LeaveReason::superseded);
    }
    return encode_declined(
        {.reason = DeclineReason::protocol,
         .text = format("the agent of walden {} does not understand this question{}",
                        options_.self.version, is_of_another_version ? ", and leaves" : "")});
}

std::optional<Declined> Server::find_objection(const Question& question) {
    // Whoever wants to see or to stop this agent may be of any version.
    if (question.type == MessageType::status || question.type == MessageType::stop)
        return std::nullopt;
    Declined declined;
    if (question.caller.version != options_.self.version) {
        declined = {.reason = DeclineReason::version,
                    .text = format("the agent is walden {}, and leaves", options_.self.version)};
    } else if (question.caller.configuration != options_.self.configuration) {
        declined = {.reason = DeclineReason::configuration,
                    .text = "the agent was started with another configuration, and leaves"};
    } else if (question.caller.environment != 0 &&
               question.caller.environment != options_.self.environment) {
        declined = {.reason = DeclineReason::environment,
                    .text =
                        "the agent was started with other keys or credentials in its "
                        "environment, and leaves"};
    } else {
        const std::lock_guard lock(mutex_);
        if (!leaves_) return std::nullopt;
        return Declined{.reason = DeclineReason::leaving, .text = "the agent is leaving"};
    }
    stop_working_ahead();
    leave(LeaveReason::superseded);
    return declined;
}

Server::Reply Server::answer_question(const Question& question, const KeepWaiting& keep_waiting) {
    if (const auto objection = find_objection(question)) return {encode_declined(*objection)};
    switch (question.type) {
        case MessageType::archive: return {answer_archive(question, keep_waiting)};
        case MessageType::flush: return {answer_flush(keep_waiting)};
        case MessageType::fetch: return answer_fetch(question, keep_waiting);
        case MessageType::status: return {encode_status(status())};
        case MessageType::stop:
            stop_working_ahead();
            return {encode_message(MessageType::stopping, {})};
        case MessageType::working:
        case MessageType::archived:
        case MessageType::failed:
        case MessageType::declined:
        case MessageType::flushed:
        case MessageType::status_report:
        case MessageType::stopping:
        case MessageType::fetched:
        case MessageType::not_there: break;
    }
    return {encode_declined({.reason = DeclineReason::protocol, .text = "not a question"})};
}

/// Whoever is declined does the work himself, which is slower: `walden status` says so always, and
/// the server's log once.
Bytes Server::decline(const std::string& why) {
    const std::lock_guard lock(mutex_);
    ++declined_count_;
    const bool is_known = std::exchange(last_declined_, why) == why;
    return encode_declined({.reason = DeclineReason::file, .text = is_known ? std::string() : why});
}

/// Looking at an agent does not keep it.
void Server::note_use() {
    const std::lock_guard lock(mutex_);
    last_used_ = Clock::now();
}

Bytes Server::answer_archive(const Question& question, const KeepWaiting& keep_waiting) {
    note_use();
    notice_exchange();
    const auto answer =
        services_.archive.archive(question.file_name, question.file_version, keep_waiting);
    if (!answer) return {};
    if (const auto* archived = std::get_if<archive::Archived>(&*answer))
        return encode_archived(*archived);
    if (const auto* other = std::get_if<archive::OtherFile>(&*answer)) {
        return decline(other->text);
    }
    return encode_failed(std::get<Error>(*answer));
}

Bytes Server::answer_flush(const KeepWaiting& keep_waiting) {
    note_use();
    const auto answer = services_.archive.flush(keep_waiting);
    if (!answer) return {};
    if (const auto* count = std::get_if<std::uint64_t>(&*answer)) return encode_flushed(*count);
    return encode_failed(std::get<Error>(*answer));
}

Server::Reply Server::answer_fetch(const Question& question, const KeepWaiting& keep_waiting) {
    note_use();
    const auto found = services_.recoveries.find(question.data_directory, question.wal_directory);
    if (!found.prefetcher) {
        return {decline(found.objection)};
    }
    const auto answer = found.prefetcher->fetch(question.file_name, keep_waiting);
    if (!answer) return {};
    if (const auto* delivery = std::get_if<recovery::Delivery>(&*answer))
        return {encode_fetched(*delivery), delivery->file};
    if (std::holds_alternative<recovery::NotThere>(*answer))
        return {encode_message(MessageType::not_there, {})};
    return {encode_failed(std::get<Error>(*answer))};
}

bool Server::is_working() {
    return !services_.archive.is_idle() || !services_.recoveries.is_idle();
}

void Server::stop_working_ahead() {
    services_.archive.stop_looking_ahead();
    services_.recoveries.stop_prefetching();
}

AgentStatus Server::status() {
    const auto [declined_count, last_declined] = [&] {
        const std::lock_guard lock(mutex_);
        return std::pair(declined_count_, last_declined_);
    }();
    return {.version = options_.self.version,
            .pid = static_cast<std::uint64_t>(::getpid()),
            .started_at = started_at_,
            .memory_resident = resident_memory(),
            .declined_count = declined_count,
            .last_declined = last_declined,
            .archive = services_.archive.status(),
            .recoveries = services_.recoveries.status()};
}

}  // namespace walden::agent
