#include "pg/recovery_state.h"

#include "base/error.h"
#include "base/file.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string_view>

namespace walden::pg {

namespace {

/// Of postmaster.pid: nine short lines.
constexpr std::size_t pid_file_size_max = 64 << 10;

pid_t postmaster_of(const std::string& pgdata) {
    try {
        const auto file = read_file(pgdata + "/postmaster.pid", pid_file_size_max);
        if (!file) return 0;
        const std::string_view text = as_text(*file);
        pid_t pid = 0;
        std::from_chars(text.data(), text.data() + text.size(), pid);
        // A standalone backend writes its pid as a negative number.
        return pid < 0 ? -pid : pid;
    } catch (const Error&) {
        return 0;
    }
}

}  // namespace

bool is_running(const std::string& pgdata) {
    const pid_t pid = postmaster_of(pgdata);
    return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM);
}

bool is_in_archive_recovery(const std::string& pgdata) {
    return ::access((pgdata + "/standby.signal").c_str(), F_OK) == 0 ||
           ::access((pgdata + "/recovery.signal").c_str(), F_OK) == 0;
}

}  // namespace walden::pg
