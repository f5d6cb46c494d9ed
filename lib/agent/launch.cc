#include "agent/launch.h"

#include "agent/unix_socket.h"
#include "base/file.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

namespace walden::agent {

namespace {

constexpr int ready_fd = 3;

/// In the child of the child, with calls that are safe after fork(): leaves everything that was
/// inherited behind and becomes the agent.
[[noreturn]] void become_agent(const char* program, char* const* argv, int pipe_end) {
    const int null = ::open("/dev/null", O_RDWR);
    // The pipe's end first: it may be one of those that are replaced.
    const int high = ::fcntl(pipe_end, F_DUPFD, 10);
    if (null < 0 || high < 0) ::_exit(1);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::dup2(null, fd) < 0) ::_exit(1);
    if (::dup2(high, ready_fd) < 0) ::_exit(1);
    // A kernel before 5.9 knows no close_range; the agent closes the rest itself.
    static_cast<void>(::close_range(ready_fd + 1, ~0U, 0));
    ::umask(077);
    if (::chdir("/") != 0) ::_exit(1);
    ::execv(program, argv);
    ::_exit(1);
}

/// Whether a byte comes before the other end is closed or time is up.
bool await_ready(int fd, std::chrono::milliseconds patience) {
    const auto deadline = Clock::now() + patience;
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        pollfd item{.fd = fd, .events = POLLIN, .revents = 0};
        const int count =
            ::poll(&item, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
        if (count < 0 && errno == EINTR) continue;
        char byte = 0;
        return count > 0 && ::read(fd, &byte, 1) == 1;
    }
}

}  // namespace

bool launch_agent(const Launch& launch, std::chrono::milliseconds patience) {
    if (::access(launch.program.c_str(), X_OK) != 0) return false;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    const FileDescriptor read_end(ends[0]);
    auto write_end = std::make_unique<FileDescriptor>(ends[1]);
    std::array<std::string, 6> words = {launch.program,     "agent",      "--config",
                                        launch.config_path, "--ready-fd", std::to_string(ready_fd)};
    std::array<char*, words.size() + 1> argv{};
    for (std::size_t i = 0; i < words.size(); ++i) argv[i] = words[i].data();
    const pid_t child = ::fork();
    if (child < 0) return false;
    if (child == 0) {
        // A session of its own, led by a process that ends at once: no terminal, no process group
        // of PostgreSQL's, nobody's child.
        if (::setsid() < 0) ::_exit(1);
        const pid_t grandchild = ::fork();
        if (grandchild == 0) become_agent(launch.program.c_str(), argv.data(), write_end->get());
        ::_exit(grandchild < 0 ? 1 : 0);
    }
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    write_end.reset();
    return await_ready(read_end.get(), patience);
}

}  // namespace walden::agent
