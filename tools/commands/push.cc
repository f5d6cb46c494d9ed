#include "archive/ready_files.h"
#include "base/error.h"
#include "base/file_identity.h"
#include "base/format.h"
#include "storage/all_stores.h"
#include "tools/cli/agent_place.h"
#include "tools/cli/json.h"
#include "tools/cli/messages.h"
#include "tools/cli/push_here.h"
#include "tools/cli/push_program.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/text.h"

#include <algorithm>
#include <memory>

namespace walden::commands {

namespace {

struct FlushOptions {
    std::uint32_t timeout_seconds = 0;  ///< 0: as long as it takes
};

/// nullopt if there is no agent to rely on.
std::optional<std::uint64_t> flush_by_agent(const cli::Config& config,
                                            agent::Clock::time_point deadline) {
    agent::Contact contact = cli::agent_contact(config);
    contact.user = cli::agent_user(config);
    const agent::AskResult result =
        agent::ask_or_launch(contact, {.caller = contact.caller, .type = agent::MessageType::flush},
                             {.deadline = deadline});
    if (result.outcome == agent::AskOutcome::deadline_passed)
        throw Error(ErrorKind::canceled, "not everything is archived yet")
            .with_hint("\"walden status\" shows what is left.");
    if (result.outcome == agent::AskOutcome::unusable) cli::report_warning(result.text);
    if (result.outcome != agent::AskOutcome::answered) return std::nullopt;
    if (result.type == agent::MessageType::failed)
        if (const auto error = agent::decode_failed(result.body)) throw Error(*error);
    if (result.type != agent::MessageType::flushed) return std::nullopt;
    return agent::decode_flushed(result.body);
}

/// One after the other, as PostgreSQL would ask.
std::uint64_t flush_here(const cli::Config& config, agent::Clock::time_point deadline) {
    const std::string wal_directory = config.pgdata + "/pg_wal";
    const std::vector<std::string> names = archive::list_ready_files(wal_directory);
    for (const std::string& name : names) {
        if (agent::Clock::now() >= deadline)
            throw Error(ErrorKind::canceled,
                        format("{} and what follows is not archived yet", name));
        const std::string path = wal_directory + "/" + name;
        // PostgreSQL may have been told meanwhile that it is archived, and have recycled it.
        if (!find_file(path)) continue;
        cli::push_here(config, path,
                       std::min(deadline, agent::Clock::now() + config.archive.deadline),
                       storage::all_stores());
    }
    return names.size();
}

int push(const cli::Common& common, const std::string& path) {
    const cli::Config config = cli::read_config(common.config_path);
    cli::require_configured_server(config, path);
    cli::push_here(config, path, agent::Clock::now() + config.archive.deadline,
                   storage::all_stores());
    return 0;
}

int flush(const cli::Common& common, const FlushOptions& options) {
    const cli::Config config = cli::read_config(common.config_path);
    const auto deadline =
        agent::Clock::now() + (options.timeout_seconds == 0
                                   ? std::chrono::hours(24 * 365)
                                   : std::chrono::seconds(options.timeout_seconds));
    auto count = config.agent.is_enabled ? flush_by_agent(config, deadline) : std::nullopt;
    if (!count) count = flush_here(config, deadline);
    if (common.is_json())
        cli::print_json({{"durable", *count}});
    else
        print_line(*count == 0 ? std::string("nothing was ready")
                               : format("all {} files that were ready are durable", *count));
    return 0;
}

}  // namespace

void add_push(const cli::Command& parent) {
    const auto path = std::make_shared<std::string>();
    const cli::Command command =
        parent.command("push", "Archive one file of pg_wal, as walden-push does without an agent",
                       [path](const cli::Common& common) { return push(common, *path); });
    command.operand("PATH", *path, "The file, as PostgreSQL's %p has it");
}

void add_flush(const cli::Command& parent) {
    const auto options = std::make_shared<FlushOptions>();
    const cli::Command command =
        parent.command("flush", "Wait until everything that is ready now is durable",
                       [options](const cli::Common& common) { return flush(common, *options); });
    command
        .option("--timeout", options->timeout_seconds,
                "Give up after so many seconds; without it, never")
        .between(1U, 31'536'000U);
}

}  // namespace walden::commands
