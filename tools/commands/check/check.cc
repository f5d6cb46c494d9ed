// walden check: is everything such that the archive will restore this server?
#include "base/format.h"
#include "storage/all_stores.h"
#include "tools/cli/json.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/check/checker.h"
#include "tools/commands/state_place.h"
#include "tools/commands/text.h"

#include <algorithm>
#include <memory>

namespace walden::commands {

std::string_view to_string(Level level) {
    switch (level) {
        case Level::ok: return "ok";
        case Level::warning: return "warning";
        case Level::problem: return "problem";
    }
    return "problem";
}

namespace {

void print_text(const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) {
        print_line(format("{:<8} {}", to_string(finding.level), finding.text));
        if (!finding.hint.empty()) print_line(format("         {}", finding.hint));
    }
}

void print_as_json(const std::vector<Finding>& findings, bool is_good) {
    cli::Json all = cli::Json::array();
    for (const Finding& finding : findings)
        all.push_back({{"id", finding.id},
                       {"level", to_string(finding.level)},
                       {"text", finding.text},
                       {"hint", finding.hint}});
    cli::print_json({{"ok", is_good}, {"findings", all}});
}

int check(const cli::Common& common, const CheckOptions& options) {
    Checker checker;
    checker.group("repository", [&] {
        const cli::Config config = cli::read_config(common.config_path);
        checker.group("state", [&] { require_state_directory(config); });
        const cli::Session session(config, cli::typed(config.archive.deadline),
                                   storage::all_stores());
        checker.ok("repository",
                   format("repository {}", to_hex(session.repository().descriptor().id)));
        checker.group("keys", [&] { check_keys(session, checker); });
        checker.group("store", [&] { check_store(session, checker); });
        checker.group("archive", [&] { check_archive(session, options, checker); });
        if (options.asks_server)
            checker.group("server", [&] { check_server(session, options, checker); });
    });
    const auto& findings = checker.findings();
    const bool is_good = std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
        return finding.level == Level::problem;
    });
    if (common.is_json())
        print_as_json(findings, is_good);
    else
        print_text(findings);
    return is_good ? cli::exit_good : cli::exit_problem;
}

}  // namespace

void add_check(const cli::Command& parent) {
    const auto options = std::make_shared<CheckOptions>();
    const cli::Command command =
        parent.command("check", "Check configuration, key, store, archive and server",
                       [options](const cli::Common& common) { return check(common, *options); });
    command.option("--conninfo", options->conninfo,
                   "How to connect to the server, as for psql; else PGHOST and the like");
    command.flag("--no-server", options->asks_server, "Do not ask the server");
    command.flag("--no-switch", options->archives,
                 "Do not have the server end its segment to see it archived");
    command
        .option("--target-timeline", options->target_timeline,
                "Can recovery follow this timeline? In decimal; without it, the latest")
        .between(1U, 0xFFFFFFFFU);
}

}  // namespace walden::commands
