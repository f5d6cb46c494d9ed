#include "tools/commands/state_place.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "tools/cli/agent_place.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

namespace walden::commands {

namespace {

/// Who the server runs as.
uid_t server_user(const cli::Config& config) {
    struct stat status {};

    return ::stat(config.pgdata.c_str(), &status) == 0 ? status.st_uid : ::geteuid();
}

std::string user_name(uid_t user) {
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 4096> buffer{};
    if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
        return std::to_string(user);
    return found->pw_name;
}

}  // namespace

void require_state_directory(const cli::Config& config) {
    try {
        if (::geteuid() != 0) make_directories(config.state_dir);
    } catch (const Error&) {
        // What matters is whether files can be made there.
    }
    const bool is_used = cli::state_directory(config) == config.state_dir;
    if (is_used && (::geteuid() == 0 || ::access(config.state_dir.c_str(), W_OK | X_OK) == 0))
        return;
    const std::string owner = user_name(server_user(config));
    throw Error(ErrorKind::denied,
                format("state_dir \"{}\" cannot be written by {}", config.state_dir, owner))
        .with_detail(
            "Without it each push proves anew that it may archive, and the agent that works ahead "
            "has no lasting place.")
        .with_hint(format("sudo install -d -o {} -m 0700 \"{}\"", owner, config.state_dir));
}

}  // namespace walden::commands
