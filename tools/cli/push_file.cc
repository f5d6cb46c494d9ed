#include "tools/cli/push_file.h"

#include "archive/source_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "tools/cli/agent_place.h"
#include "tools/cli/messages.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace walden::cli {

void require_configured_server(const Config& config, const std::string& path) {
    if (path.starts_with('/')) return;

    struct stat here {};

    struct stat configured {};

    if (::stat(".", &here) != 0 || ::stat(config.pgdata.c_str(), &configured) != 0 ||
        (here.st_dev == configured.st_dev && here.st_ino == configured.st_ino))
        return;
    std::error_code unknown;
    throw Error(ErrorKind::foreign,
                format("this server runs in \"{}\", the configuration is for \"{}\"",
                       std::filesystem::current_path(unknown).string(), config.pgdata))
        .with_hint("Give each server a configuration with its own pgdata.");
}

bool archive_by_agent(const Config& config, const std::string& path,
                      agent::Clock::time_point deadline) {
    // Without such a file, or with another one than the agent sees, there is nothing to ask it.
    const auto identity = archive::find_source_file(path);
    if (!config.agent.is_enabled || !identity) return false;
    const agent::AskResult result =
        ask_agent(config,
                  {.caller = agent_caller(config),
                   .type = agent::MessageType::archive,
                   .file_name = base_name(path),
                   .identity = *identity},
                  {.socket_path = agent_socket_path(config),
                   .deadline = deadline,
                   // Half of the time is left for doing the work without it.
                   .silence_max = std::min<std::chrono::milliseconds>(std::chrono::seconds(3),
                                                                      config.archive.deadline / 2),
                   .user = ::geteuid()});
    switch (result.outcome) {
        case agent::AskOutcome::absent:
        case agent::AskOutcome::declined: return false;
        case agent::AskOutcome::unusable:
            report_warning(format("{}; archiving without the agent", result.text));
            return false;
        case agent::AskOutcome::deadline_passed:
            throw Error(ErrorKind::canceled,
                        format("{} is not archived yet: {}", base_name(path), result.text))
                .with_hint("PostgreSQL asks again. \"walden status\" shows what the agent does.");
        case agent::AskOutcome::answered: break;
    }
    if (result.type == agent::MessageType::failed)
        if (const auto error = agent::decode_failed(result.body)) throw Error(*error);
    const auto archived = result.type == agent::MessageType::archived
                              ? agent::decode_archived(result.body)
                              : std::nullopt;
    if (!archived) {
        report_warning("the agent's answer is not understood; archiving without it");
        return false;
    }
    for (const std::string& warning : archived->warnings) report_warning(warning);
    return true;
}

}  // namespace walden::cli
