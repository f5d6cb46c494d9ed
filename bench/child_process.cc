#include "bench/child_process.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>

extern char** environ;

namespace walden::bench {

namespace {

constexpr std::string_view launcher_word = "--launch-and-tell-memory";

struct ChildResult {
    int exit_code = 0;  ///< 128 + signal if it was killed
    std::uint64_t peak_rss_bytes = 0;
};

ChildResult wait_for(pid_t child) {
    int status = 0;
    rusage usage{};
    while (::wait4(child, &status, 0, &usage) < 0)
        if (errno != EINTR) throw system_error(ErrorKind::io, "wait for a child", errno);
    return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            .peak_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024};
}

ChildResult run_child(const std::vector<std::string>& argv, const std::string& directory,
                      const std::string& output) {
    std::vector<char*> pointers;
    for (const std::string& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                       O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child = 0;
    const int failure =
        ::posix_spawnp(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) throw system_error(ErrorKind::io, format("start {}", argv[0]), failure);
    return wait_for(child);
}

void require_success(const ChildResult& result, const std::string& program) {
    if (result.exit_code != 0)
        throw Error(ErrorKind::io, format("{} ended with {}", program, result.exit_code));
}

std::string scratch_file() {
    return format("/tmp/walden-bench.{}.out", ::getpid());
}

}  // namespace

void require_child(const std::vector<std::string>& argv, const std::string& directory) {
    require_success(run_child(argv, directory, "/dev/null"), argv[0]);
}

std::uint64_t peak_memory_of_child(const std::vector<std::string>& argv,
                                   const std::string& directory) {
    std::vector<std::string> all = {"/proc/self/exe", std::string(launcher_word)};
    all.insert(all.end(), argv.begin(), argv.end());
    const std::string path = scratch_file();
    require_success(run_child(all, directory, path), argv[0]);
    std::uint64_t bytes = 0;
    std::ifstream(path) >> bytes;
    ::unlink(path.c_str());
    return bytes;
}

std::uint64_t system_calls_of_child(const std::vector<std::string>& argv,
                                    const std::string& directory) {
    const std::string path = scratch_file();
    std::vector<std::string> all = {"strace", "-f", "-qq", "-e", "signal=none", "-o", path};
    all.insert(all.end(), argv.begin(), argv.end());
    try {
        require_success(run_child(all, directory, "/dev/null"), argv[0]);
    } catch (const Error&) {
        return 0;
    }
    std::uint64_t calls = 0;
    std::ifstream trace(path);
    for (std::string line; std::getline(trace, line);)
        if (line.find(" resumed>") == std::string::npos) ++calls;
    ::unlink(path.c_str());
    return calls;
}

bool run_as_launcher(int argc, char** argv) {
    if (argc < 3 || argv[1] != launcher_word) return false;
    const ChildResult result =
        run_child(std::vector<std::string>(argv + 2, argv + argc), ".", "/dev/null");
    if (result.exit_code != 0) ::_exit(result.exit_code);
    std::printf("%llu\n", static_cast<unsigned long long>(result.peak_rss_bytes));
    return true;
}

}  // namespace walden::bench
