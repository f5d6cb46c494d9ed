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

struct FlushedByAgent {
    std::optional<std::uint64_t> count{};  ///< none: there is no agent to rely on
    bool has_failed = false;
};

FlushedByAgent flush_by_agent(const cli::Config& config, agent::Clock::time_point deadline) {
    const agent::Contact contact = cli::agent_contact(config, cli::Asker::person);
    const agent::AskResult result =
        agent::ask_or_launch(contact, {.caller = contact.caller, .type = agent::MessageType::flush},
                             {.deadline = deadline});
    if (result.outcome == agent::AskOutcome::deadline_passed)
        throw Error(ErrorKind::canceled, "not everything is archived yet")
            .with_hint("\"walden status\" shows what is left.");
    if (result.outcome == agent::AskOutcome::unusable) cli::report_warning(result.text);
    if (result.outcome != agent::AskOutcome::answered) return {};
    if (result.type == agent::MessageType::failed) {
        const auto error = agent::decode_failed(result.body);
        if (!error) return {};
        cli::report_warning(format("the agent could not: {}; trying without it", error->message()));
        return {.has_failed = true};
    }
    if (result.type != agent::MessageType::flushed) return {};
    return {.count = agent::decode_flushed(result.body)};
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

struct PushOptions {
    std::string path;
    std::uint32_t patience = 0;  ///< ms, from walden-push; 0: as configured
    bool distrusts_agent = false;
};

int push(const cli::Common& common, const PushOptions& options) {
    const cli::Config config = cli::read_config(common.config_path);
    cli::require_configured_server(config, options.path);
    cli::Arguments arguments{.config_path = config.path,
                             .operands = {options.path},
                             .distrusts_agent = options.distrusts_agent};
    if (options.patience != 0) arguments.patience = std::chrono::milliseconds(options.patience);
    cli::push_here(config, arguments, storage::all_stores());
    return 0;
}

int flush(const cli::Common& common, const FlushOptions& options) {
    const cli::Config config = cli::read_config(common.config_path);
    const auto deadline =
        agent::Clock::now() + (options.timeout_seconds == 0
                                   ? std::chrono::hours(24 * 365)
                                   : std::chrono::seconds(options.timeout_seconds));
    const FlushedByAgent by_agent =
        config.agent.is_enabled ? flush_by_agent(config, deadline) : FlushedByAgent{};
    auto count = by_agent.count;
    if (!count) {
        count = flush_here(config, deadline);
        if (by_agent.has_failed) cli::dismiss_agent(config);
    }
    if (common.is_json())
        cli::print_json({{"durable", *count}});
    else
        print_line(*count == 0 ? std::string("nothing was ready")
                               : format("all {} files that were ready are durable", *count));
    return 0;
}

}  // namespace

void add_push(const cli::Command& parent) {
    const auto options = std::make_shared<PushOptions>();
    const cli::Command command =
        parent.command("push", "Archive one file of pg_wal, as walden-push does without an agent",
                       [options](const cli::Common& common) { return push(common, *options); });
    command.operand("PATH", options->path, "The file, as PostgreSQL's %p has it");
    command.option("--patience", options->patience, "From walden-push").hidden();
    command.flag("--distrust-agent", options->distrusts_agent, "From walden-push").hidden();
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
