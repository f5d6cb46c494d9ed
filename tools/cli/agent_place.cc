#include "tools/cli/agent_place.h"

#include "base/format.h"
#include "base/hash.h"
#include "tools/cli/process.h"
#include "tools/cli/version.h"

#include <sys/stat.h>
#include <unistd.h>

namespace walden::cli {

namespace {

std::string agent_file(const Config& config, std::string_view suffix) {
    const auto path_hash = static_cast<std::uint32_t>(xxh3_64(as_bytes(config.path)));
    return format("{}/agent-{}-{:08x}{}", config.state_dir, config.cluster, path_hash, suffix);
}

}  // namespace

std::string agent_socket_path(const Config& config) {
    return config.agent.socket.empty() ? agent_file(config, ".sock") : config.agent.socket;
}

std::string agent_lock_path(const Config& config) {
    return agent_file(config, ".lock");
}

std::string agent_log_path(const Config& config) {
    return agent_file(config, ".log");
}

agent::Caller agent_caller(const Config& config) {
    return {.version = version_text(), .configuration = config.digest};
}

uid_t agent_user(const Config& config) {
    struct stat status {};

    if (::geteuid() == 0 && ::stat(config.state_dir.c_str(), &status) == 0) return status.st_uid;
    return ::geteuid();
}

agent::Contact agent_contact(const Config& config) {
    agent::Contact contact{.socket_path = agent_socket_path(config),
                           .caller = agent_caller(config),
                           .user = ::geteuid()};
    if (config.agent.is_enabled)
        contact.launch = {.program = main_program(), .config_path = config.path};
    return contact;
}

}  // namespace walden::cli
