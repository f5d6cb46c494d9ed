#include "bench/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/format.h"

extern char** environ;

namespace walden::bench {

ChildResult run_child(const std::vector<std::string>& argv, const std::string& directory) {
    std::vector<char*> pointers;
    for (const std::string& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child = 0;
    const int failure =
        ::posix_spawnp(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) throw system_error(ErrorKind::io, format("start {}", argv[0]), failure);

    int status = 0;
    rusage usage{};
    while (::wait4(child, &status, 0, &usage) < 0)
        if (errno != EINTR) throw system_error(ErrorKind::io, "wait for a child", errno);
    return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            .peak_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024};
}

ChildResult require_child(const std::vector<std::string>& argv, const std::string& directory) {
    const ChildResult result = run_child(argv, directory);
    if (result.exit_code != 0)
        throw Error(ErrorKind::io, format("{} ended with {}", argv[0], result.exit_code));
    return result;
}

}  // namespace walden::bench
