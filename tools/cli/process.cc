#include "tools/cli/process.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "crypto/process_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <initializer_list>

namespace walden::cli {

namespace {

volatile std::sig_atomic_t end_code = 1;
volatile std::sig_atomic_t crash_code = 1;

// Only async-signal-safe calls in both.
extern "C" void end_at_once(int) {
    ::_exit(end_code);
}

[[noreturn]] void end_with(const char* text) {
    if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) {
        // Nothing is left to be told to.
    }
    ::_exit(crash_code);
}

extern "C" void end_after_crash(int signal) {
    end_with(signal == SIGABRT ? "walden: error: internal error: assertion failed\n"
                               : "walden: error: internal error: invalid memory access\n");
}

std::terminate_handler usual_terminate = nullptr;

/// Where not even an exception finds memory, there is none to be told of
/// (__cxa_allocate_exception).
void end_without_exception() {
    if (!std::current_exception())
        end_with("walden: error: out of memory, or internal error: terminated\n");
    usual_terminate();
}

/// Started with closed standard files, the next file that is opened would become one of them, and
/// take what is printed.
void open_standard_files() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) return;
}

void set_handler(int signal, void (*handler)(int)) {
    struct sigaction action {};

    action.sa_handler = handler;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(signal, &action, nullptr);
}

}  // namespace

void prepare_process(int exit_code, int crash_exit_code) {
    end_code = exit_code;
    crash_code = crash_exit_code;
    open_standard_files();
    for (const int signal : {SIGALRM, SIGTTIN, SIGTTOU, SIGURG, SIGXFSZ, SIGCHLD, SIGUSR1, SIGUSR2})
        set_handler(signal, SIG_DFL);
    // A broken pipe on stderr must not kill a push; it is an error code of write(2) instead. A file
    // size limit likewise.
    set_handler(SIGPIPE, SIG_IGN);
    set_handler(SIGXFSZ, SIG_IGN);
    for (const int signal : {SIGTERM, SIGQUIT, SIGINT, SIGHUP}) set_handler(signal, end_at_once);
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS})
        set_handler(signal, end_after_crash);
    usual_terminate = std::set_terminate(end_without_exception);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    crypto::protect_process_memory();
}

std::string program_directory() {
    std::string path(4096, '\0');
    const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
    path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return parent_directory(path);
}

std::string main_program() {
    return program_directory() + "/walden";
}

void become_program(const std::string& name, std::vector<std::string> arguments) {
    std::string program = program_directory() + "/" + name;
    std::vector<char*> argv = {program.data()};
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(argv.front(), argv.data());
    throw system_error(ErrorKind::io, format("start \"{}\"", program), errno)
        .with_hint("All programs of walden belong into one directory.");
}

}  // namespace walden::cli
