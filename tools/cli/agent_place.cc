#include "tools/cli/agent_place.h"

#include "base/file.h"
#include "base/format.h"
#include "base/hash.h"
#include "tools/cli/messages.h"
#include "tools/cli/process.h"
#include "tools/cli/version.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <variant>
#include <vector>

namespace walden::cli {

namespace {

constexpr std::chrono::seconds dismiss_deadline{2};

/// Whether `user`, who is ours or whom root looks after, can make files in the directory at `path`;
/// or can make it, where it is not there.
bool can_write(const std::string& path, uid_t user) {
    struct stat status {};

    if (::stat(path.c_str(), &status) != 0)
        return errno == ENOENT && path != "/" && can_write(parent_directory(path), user);
    if (::access(path.c_str(), W_OK | X_OK) != 0) return false;
    if (user == ::geteuid()) return true;
    return status.st_uid == user ? (status.st_mode & 0300) == 0300 : (status.st_mode & 03) == 03;
}

/// Whether the directory at `path` is there, or can be made, and is nobody else's.
bool is_private(const std::string& path, uid_t user) {
    if (user == ::geteuid()) static_cast<void>(::mkdir(path.c_str(), 0700));

    struct stat status {};

    return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
           status.st_uid == user && (status.st_mode & 077) == 0;
}

std::string agent_file(const Config& config, std::string_view suffix) {
    const auto path_hash = static_cast<std::uint32_t>(xxh3_64(as_bytes(config.path)));
    return format("{}/agent-{}-{:08x}{}", state_directory(config), config.cluster, path_hash,
                  suffix);
}

/// XXH3-64 of the environment variables that this configuration's key and credentials come from; 0
/// if there are none.
std::uint64_t environment_digest(const Config& config) {
    std::vector<std::string_view> variables;
    const auto* key = config.encryption.key_source
                          ? std::get_if<crypto::KeyEnvironment>(&*config.encryption.key_source)
                          : nullptr;
    const bool is_remote = !storage::is_directory_url(config.store.url);
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
        const std::string_view text = *variable;
        const bool is_key = key != nullptr && text.size() > key->variable.size() &&
                            text.starts_with(key->variable) && text[key->variable.size()] == '=';
        if (is_key || (is_remote && text.starts_with("AWS_"))) variables.push_back(text);
    }
    if (variables.empty()) return 0;
    std::ranges::sort(variables);
    // Of their hashes: the secrets are not copied.
    Bytes digests;
    for (const std::string_view text : variables)
        ByteWriter(digests).write(static_cast<std::uint64_t>(xxh3_64(as_bytes(text))));
    return std::max<std::uint64_t>(xxh3_64(digests), 1);
}

}  // namespace

std::string state_directory(const Config& config) {
    const uid_t user = agent_user(config);
    if (can_write(config.state_dir, user)) return config.state_dir;
    for (const std::string& place :
         {format("/run/user/{}/walden", user), format("/tmp/walden-{}", user),
          format("/dev/shm/walden-{}", user), format("/var/tmp/walden-{}", user)})
        if (is_private(place, user)) return place;
    return config.state_dir;
}

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
    return {.version = version_text(),
            .configuration = config.digest,
            .environment = environment_digest(config)};
}

uid_t agent_user(const Config& config) {
    if (::geteuid() != 0) return ::geteuid();
    for (const std::string& path : {config.state_dir, config.pgdata}) {
        struct stat status {};

        if (::stat(path.c_str(), &status) == 0) return status.st_uid;
    }
    return ::geteuid();
}

agent::Contact agent_contact(const Config& config, Asker asker) {
    agent::Contact contact{.socket_path = agent_socket_path(config),
                           .caller = agent_caller(config),
                           .user = ::geteuid()};
    if (asker == Asker::person) {
        contact.caller.environment = 0;
        contact.user = agent_user(config);
    }
    if (config.agent.is_enabled)
        contact.launch = {.program = main_program(), .config_path = config.path};
    return contact;
}

void dismiss_agent(const Config& config) {
    const agent::AskResult result =
        agent::ask({.caller = agent_caller(config), .type = agent::MessageType::stop},
                   {.socket_path = agent_socket_path(config),
                    .deadline = agent::Clock::now() + dismiss_deadline,
                    .user = ::geteuid()});
    if (result.outcome == agent::AskOutcome::answered)
        report_note("the agent could not do this, and was told to leave; see its log");
}

}  // namespace walden::cli
