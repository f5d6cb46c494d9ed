// walden: everything that a person types.
#include "base/error.h"
#include "base/format.h"
#include "tools/cli/command_line.h"
#include "tools/cli/messages.h"
#include "tools/cli/process.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/fetch.h"
#include "tools/config/config.h"

#include <cstdio>
#include <new>
#include <string>

namespace walden {

namespace {

/// In the order of the help.
constexpr cli::AddCommand all_commands[] = {
    commands::add_init,    commands::add_check,    commands::add_backup, commands::add_restore,
    commands::add_preview, commands::add_agent,    commands::add_push,   commands::add_flush,
    commands::add_status,  commands::add_info,     commands::add_verify, commands::add_unpack,
    commands::add_expire,  commands::add_backfill, commands::add_fetch,  commands::add_keys,
    commands::add_adopt,
};

std::string settings_text() {
    std::string text = "Settings of the configuration file (TOML):\n";
    for (const SettingHelp& setting : cli::setting_help())
        text +=
            format("  {:<28} {}{}\n", setting.name, setting.meaning,
                   setting.default_value == "required" ? std::string(" (required)")
                                                       : format(" [{}]", setting.default_value));
    return text;
}

int run(int argc, char** argv) {
    return cli::run_command_line(
        argc, argv, all_commands,
        {.about = "Archives PostgreSQL's WAL and brings it back.",
         .footer =
             "\n" + settings_text() +
             "\nExit status: 0 all is well, 1 something is not, 2 the command line is wrong."});
}

int run_reporting(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const Error& error) {
        cli::show_progress("");
        cli::report_error(error);
    } catch (const std::bad_alloc&) {
        std::fputs("walden: error: out of memory\n", stderr);
    } catch (const std::exception& error) {
        cli::report_error(error.what());
    }
    return cli::exit_problem;
}

}  // namespace

}  // namespace walden

int main(int argc, char** argv) {
    if (walden::commands::is_fetch(argc, argv)) return walden::commands::run_as_fetch(argc, argv);
    walden::cli::prepare_process(walden::cli::exit_problem, walden::cli::exit_problem);
    return walden::run_reporting(argc, argv);
}
