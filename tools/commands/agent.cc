#include "agent/agent_server.h"
#include "archive/look_ahead.h"
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/large_memory.h"
#include "storage/all_stores.h"
#include "tools/cli/agent_place.h"
#include "tools/cli/json.h"
#include "tools/cli/messages.h"
#include "tools/cli/session.h"
#include "tools/cli/version.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/recovery_source.h"
#include "tools/commands/text.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <malloc.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>

namespace walden::commands {

namespace {

struct AgentOptions {
    bool stops = false;  ///< the running one, instead of being one
    int ready_fd = -1;   ///< started on demand: told when it listens
};

/// Attempts are bounded by their number; whoever waits for an answer has a deadline of his own.
constexpr std::chrono::hours no_deadline{24 * 365};
constexpr off_t log_size_max = 1 << 20;
/// Two segments of 16 MiB, and what they are encoded to.
constexpr std::size_t kept_memory_max = std::size_t{40} << 20;
constexpr std::chrono::seconds stop_deadline{30};
constexpr std::chrono::seconds leaving_deadline{5};

class SessionArchive final : public archive::OpenArchive {
public:
    SessionArchive(const cli::Config& config, const std::function<void()>& on_retry)
        : session_(config, no_deadline, storage::all_stores(), on_retry),
          vault_(session_.open_cluster()),
          identity_(session_.require_identity(vault_)),
          state_(cli::open_local_state(session_, identity_.system_identifier)) {}

    [[nodiscard]] const vault::ClusterVault& vault() const override { return vault_; }

    [[nodiscard]] archive::LocalState& state() override { return state_; }

    [[nodiscard]] archive::ArchiveSettings settings() const override {
        return cli::archive_settings(session_.config(), identity_);
    }

private:
    cli::Session session_;
    vault::ClusterVault vault_;
    vault::ClusterIdentity identity_;
    archive::LocalState state_;
};

/// state_dir holds the socket: whoever may write there could put another one in its place.
void require_private_state_directory(const std::string& path) {
    make_directories(path);

    struct stat status {};

    if (::stat(path.c_str(), &status) != 0)
        throw system_error(ErrorKind::io, format("stat \"{}\"", path), errno);
    if (status.st_uid != ::geteuid() || (status.st_mode & 022) != 0)
        throw Error(ErrorKind::denied,
                    format("state_dir \"{}\" must belong to this user and be writable by nobody "
                           "else",
                           path))
            .with_hint(format("chmod go-w \"{}\"", path));
}

/// Held as long as the process lives. Invalid if another agent holds it.
FileDescriptor take_lock(const std::string& path) {
    FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid()) throw system_error(ErrorKind::io, format("open \"{}\"", path), errno);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno == EWOULDBLOCK) return {};
    throw system_error(ErrorKind::io, format("lock \"{}\"", path), errno);
}

/// From now on what is said goes to a file that begins anew when it has become long.
void write_to_log(const std::string& path) {
    const FileDescriptor fd(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid()) return;  // an agent without a log is better than none

    struct stat status {};

    if (::fstat(fd.get(), &status) == 0 && status.st_size > log_size_max &&
        ::ftruncate(fd.get(), 0) != 0)
        cli::report_warning(format("could not empty \"{}\"", path));
    for (const int standard : {STDOUT_FILENO, STDERR_FILENO}) ::dup2(fd.get(), standard);
}

std::uint64_t number_in_environment(const char* name) {
    const char* text = std::getenv(name);
    std::uint64_t number = 0;
    if (text != nullptr) std::from_chars(text, text + std::string_view(text).size(), number);
    return number;
}

/// The socket that systemd listens on for us, sd_listen_fds(3); invalid if it does not.
FileDescriptor take_activation_socket() {
    constexpr int first_fd = 3;
    const bool is_ours =
        number_in_environment("LISTEN_PID") == static_cast<std::uint64_t>(::getpid()) &&
        number_in_environment("LISTEN_FDS") == 1;
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
    if (!is_ours) return {};
    ::fcntl(first_fd, F_SETFD, FD_CLOEXEC);
    return FileDescriptor(first_fd);
}

/// Buffers are used again instead of being given back to the kernel with each segment and faulted
/// in with the next. One arena: threads would keep their own ones.
void keep_memory() {
    ::mallopt(M_ARENA_MAX, 1);
    ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
    ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
    ::mallopt(M_TOP_PAD, 4 << 20);
    keep_large_memory(kept_memory_max);
}

void tell_ready(int fd) {
    if (fd < 0) return;
    const char byte = '1';
    if (::write(fd, &byte, 1) != 1) cli::report_warning("nobody waits for this agent");
    ::close(fd);
}

archive::LookAheadOptions look_ahead_options(const cli::Config& config) {
    archive::PipelineOptions pipeline;
    pipeline.in_flight = config.agent.in_flight;
    pipeline.prepare_count =
        std::max<std::size_t>(1, std::min(config.agent.in_flight, config.codec.worker_count));
    pipeline.memory = config.agent.memory;
    return {.wal_directory = config.pgdata + "/pg_wal", .pipeline = pipeline};
}

/// Never returns to what would wait for a store that hangs: nothing of an agent's work needs an
/// end.
[[noreturn]] void serve(const cli::Config& config, FileDescriptor listener, bool owns_socket,
                        int ready_fd) {
    archive::LookAhead look_ahead(look_ahead_options(config), [&] {
        return std::make_unique<SessionArchive>(config, [&] { look_ahead.note_retry(); });
    });
    agent::Recoveries recoveries([&](const std::string& data_directory) {
        cli::Config of_server = config;
        of_server.pgdata = data_directory;
        return std::make_unique<recovery::Prefetcher>(prefetch_options(of_server), [&, of_server] {
            return open_recovery_source(of_server, [&] { look_ahead.note_retry(); });
        });
    });
    agent::Server server(std::move(listener), {look_ahead, recoveries},
                         {.self = cli::agent_caller(config),
                          .pgdata = config.pgdata,
                          .idle_timeout = config.agent.idle_timeout});
    tell_ready(ready_fd);
    const agent::LeaveReason reason = server.wait();
    if (owns_socket) ::unlink(cli::agent_socket_path(config).c_str());
    cli::report_note(format("agent {} leaves: {}", ::getpid(), to_string(reason)));
    std::fflush(nullptr);
    std::_Exit(0);
}

int run_agent(const cli::Config& config, const AgentOptions& options) {
    FileDescriptor listener = take_activation_socket();
    const bool is_activated = listener.valid();
    const std::string directory = cli::state_directory(config);
    require_private_state_directory(directory);
    const FileDescriptor lock = take_lock(cli::agent_lock_path(config));
    if (!lock.valid()) {
        if (options.ready_fd >= 0) return 0;
        throw Error(ErrorKind::conflict, "another agent of this configuration is running")
            .with_hint("\"walden agent --stop\" ends it.");
    }
    if (options.ready_fd >= 0) {
        write_to_log(cli::agent_log_path(config));
        cli::stamp_messages();
    }
    if (directory != config.state_dir)
        cli::report_warning(format("state_dir \"{}\" cannot be written; \"{}\" is used",
                                   config.state_dir, directory));
    keep_memory();
    if (!is_activated) listener = agent::listen_at(cli::agent_socket_path(config));
    if (::chdir("/") != 0) cli::report_warning("could not leave the working directory");
    ::umask(077);
    cli::report_note(format("agent {} of walden {} serves cluster \"{}\" in \"{}\"", ::getpid(),
                            cli::version_text(), config.cluster, config.pgdata));
    serve(config, std::move(listener), !is_activated, options.ready_fd);
}

bool is_lock_free_within(const std::string& path, std::chrono::milliseconds patience) {
    const FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.valid()) return errno == ENOENT;
    const auto deadline = agent::Clock::now() + patience;
    while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || agent::Clock::now() >= deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
}

int stop_agent(const cli::Config& config, const cli::Common& common) {
    const auto report = [&](std::string_view text, bool has_run) {
        if (common.is_json())
            cli::print_json({{"running", false}, {"stopped", has_run}});
        else
            print_line(text);
        return cli::exit_good;
    };
    const agent::AskResult result =
        agent::ask({.caller = cli::agent_caller(config), .type = agent::MessageType::stop},
                   {.socket_path = cli::agent_socket_path(config),
                    .deadline = agent::Clock::now() + stop_deadline,
                    .user = cli::agent_user(config)});
    if (result.outcome == agent::AskOutcome::absent) {
        return report("no agent runs", false);
    }
    // Whoever takes the lock knows that it has gone; one that was leaving anyway closes connections
    // without a word.
    const auto patience =
        result.outcome == agent::AskOutcome::answered ? stop_deadline : leaving_deadline;
    if (!is_lock_free_within(cli::agent_lock_path(config), patience))
        throw Error(ErrorKind::unavailable,
                    result.text.empty() ? "the agent has not stopped yet" : result.text);
    return report("the agent has stopped", true);
}

int run_or_stop(const cli::Common& common, const AgentOptions& options) {
    const cli::Config config = cli::read_config(common.config_path);
    return options.stops ? stop_agent(config, common) : run_agent(config, options);
}

}  // namespace

void add_agent(const cli::Command& parent) {
    const auto options = std::make_shared<AgentOptions>();
    const cli::Command command = parent.command(
        "agent",
        "Archive and fetch ahead of PostgreSQL; walden-push and walden-fetch start it on demand",
        [options](const cli::Common& common) { return run_or_stop(common, *options); });
    command.flag("--stop", options->stops, "Stop the running agent, and wait for its end");
    // Only for walden-push: not in the help.
    command.option("--ready-fd", options->ready_fd, "").between(3, 3).hidden();
}

}  // namespace walden::commands
