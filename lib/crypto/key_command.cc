#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "crypto/key_source.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace walden::crypto {

namespace {

using Clock = std::chrono::steady_clock;

/// Milliseconds left, rounded up so that a wait never ends too early; 0 when there are none.
int remaining_ms(Clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000));
}

/// Owns the settings of one posix_spawn, which runs no code of ours in the child: in a program
/// with threads that could deadlock.
class SpawnSettings {
public:
    SpawnSettings() {
        check(::posix_spawn_file_actions_init(&actions_));
        check(::posix_spawnattr_init(&attributes_));
    }

    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;

    ~SpawnSettings() {
        ::posix_spawn_file_actions_destroy(&actions_);
        ::posix_spawnattr_destroy(&attributes_);
    }

    /// stdin empty, stdout to `write_end`, stderr ours, nothing else; in this order, in case the
    /// pipe sits on descriptor 0.
    void connect(int write_end) {
        check(::posix_spawn_file_actions_adddup2(&actions_, write_end, STDOUT_FILENO));
        check(
            ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0));
        check(::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1));
    }

    /// A process group of its own, to be killed as a whole, and the signals that PostgreSQL's
    /// children inherit ignored or blocked back at their defaults.
    void detach() {
        sigset_t all;
        sigset_t none;
        ::sigfillset(&all);
        ::sigemptyset(&none);
        check(::posix_spawnattr_setpgroup(&attributes_, 0));
        check(::posix_spawnattr_setsigdefault(&attributes_, &all));
        check(::posix_spawnattr_setsigmask(&attributes_, &none));
        check(::posix_spawnattr_setflags(
            &attributes_, static_cast<short>(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                             POSIX_SPAWN_SETSIGMASK)));
    }

    [[nodiscard]] const posix_spawn_file_actions_t* actions() const { return &actions_; }

    [[nodiscard]] const posix_spawnattr_t* attributes() const { return &attributes_; }

private:
    static void check(int error_number) {
        if (error_number != 0)
            throw system_error(ErrorKind::io, "prepare a key command", error_number);
    }

    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

/// A running command. The destructor kills what is left and reaps it: never a zombie.
class Child {
public:
    Child(const std::vector<std::string>& argv, int write_end) {
        SpawnSettings settings;
        settings.connect(write_end);
        settings.detach();
        std::vector<char*> arguments;
        arguments.reserve(argv.size() + 1);
        for (const std::string& argument : argv)
            arguments.push_back(const_cast<char*>(argument.c_str()));  // execve's old signature
        arguments.push_back(nullptr);
        const int error_number = ::posix_spawnp(&pid_, arguments.front(), settings.actions(),
                                                settings.attributes(), arguments.data(), environ);
        if (error_number == 0) return;
        pid_ = -1;
        const bool is_setting =
            error_number == ENOENT || error_number == EACCES || error_number == ENOEXEC;
        throw system_error(is_setting ? ErrorKind::usage : ErrorKind::io,
                           format("run key command \"{}\"", argv.front()), error_number);
    }

    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    ~Child() {
        if (pid_ < 0) return;
        // Not reaped yet, so neither the process id nor the group id can be somebody else's.
        ::kill(-pid_, SIGKILL);
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }

    /// The wait status, or nullopt if the child still runs at the deadline.
    [[nodiscard]] std::optional<int> wait_until(Clock::time_point deadline) {
        while (true) {
            int status = 0;
            const pid_t waited = ::waitpid(pid_, &status, WNOHANG);
            if (waited == pid_) {
                pid_ = -1;
                return status;
            }
            if (waited < 0 && errno != EINTR) {
                // SIGCHLD is ignored in this process: the status is lost, so do not trust it.
                pid_ = -1;
                throw system_error(ErrorKind::io, "wait for a key command", errno);
            }
            if (remaining_ms(deadline) == 0) return std::nullopt;
            ::poll(nullptr, 0, 1);  // it closed its stdout, so it is about to end
        }
    }

private:
    pid_t pid_ = -1;
};

/// Reads to the end of the pipe. False if the deadline passed first. Reads at most one byte more
/// than key text may have.
bool read_until(int fd, Clock::time_point deadline, Bytes& out) {
    out.resize(key_text_size_max + 1);
    std::size_t size = 0;
    bool ended = false;
    while (!ended && size < out.size()) {
        pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
        const int ready = ::poll(&waiting, 1, remaining_ms(deadline));
        if (ready < 0 && errno != EINTR)
            throw system_error(ErrorKind::io, "wait for a key command", errno);
        if (ready == 0) return false;
        if (ready < 0) continue;
        const ssize_t got = ::read(fd, out.data() + size, out.size() - size);
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            throw system_error(ErrorKind::io, "read from a key command", errno);
        if (got == 0) ended = true;
        if (got > 0) size += static_cast<std::size_t>(got);
    }
    out.resize(size);
    return true;
}

[[noreturn]] void fail_command(ErrorKind kind, const KeyCommand& command,
                               const std::string& problem) {
    throw Error(kind, format("key command \"{}\" {}", command.argv.front(), problem));
}

void require_success(const KeyCommand& command, int status) {
    if (WIFSIGNALED(status))
        fail_command(ErrorKind::denied, command,
                     format("was ended by signal {}", WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
        fail_command(ErrorKind::denied, command,
                     format("failed with exit status {}", WEXITSTATUS(status)));
}

}  // namespace

Bytes run_key_command(const KeyCommand& command) {
    if (command.argv.empty() || command.argv.front().empty())
        throw Error(ErrorKind::usage, "the key command is empty");
    const Clock::time_point deadline = Clock::now() + command.timeout;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        throw system_error(ErrorKind::io, "make a pipe for a key command", errno);
    const FileDescriptor read_end(ends[0]);
    FileDescriptor write_end(ends[1]);
    Child child(command.argv, write_end.get());
    write_end = FileDescriptor();  // else its end would never be seen

    Bytes text;
    ZeroOnExit zero(text);
    const auto time_out = [&] {
        fail_command(ErrorKind::unavailable, command,
                     format("gave no answer within {} ms", command.timeout.count()));
    };
    if (!read_until(read_end.get(), deadline, text)) time_out();
    if (text.size() > key_text_size_max)
        fail_command(ErrorKind::usage, command,
                     format("printed more than {} bytes", key_text_size_max));
    const std::optional<int> status = child.wait_until(deadline);
    if (!status) time_out();
    require_success(command, *status);
    return to_bytes(text);
}

}  // namespace walden::crypto
