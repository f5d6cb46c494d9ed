#include "bench/servers_driver.h"

#include "base/error.h"
#include "base/format.h"
#include "bench/report.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace walden::bench {

namespace {

/// Beside the sources that this was built from, or where it was installed.
std::string script_directory() {
    const std::string source = WALDEN_BENCH_SCRIPTS;
    return ::access(source.c_str(), R_OK) == 0 ? source : WALDEN_BENCH_INSTALLED;
}

}  // namespace

void become_servers_driver(const std::string& script, const std::string& programs,
                           const std::vector<std::string>& arguments) {
    const Environment environment = describe_environment();
    ::setenv("WALDEN_BENCH_COMMIT", environment.commit.c_str(), 1);
    ::setenv("WALDEN_BENCH_COMPILER", environment.compiler.c_str(), 1);
    ::setenv("WALDEN_BENCH_MACHINE", environment.machine.c_str(), 1);
    ::setenv("WALDEN_BENCH_PROGRAMS", programs.c_str(), 0);
    std::vector<std::string> words = {"python3", "-B", script_directory() + "/" + script};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    throw system_error(ErrorKind::io, "start python3", errno);
}

}  // namespace walden::bench
