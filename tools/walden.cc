// walden: everything that a person types.
#include "base/error.h"
#include "base/format.h"
#include "tools/cli/config.h"
#include "tools/cli/fetch_here.h"
#include "tools/cli/fetch_program.h"
#include "tools/cli/messages.h"
#include "tools/cli/process.h"
#include "tools/cli/session.h"
#include "tools/cli/version.h"
#include "tools/commands/any_store.h"
#include "tools/commands/commands.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <new>
#include <string>
#include <vector>

namespace walden {

namespace {

constexpr int exit_problem = 1;
constexpr int exit_usage = 2;

/// What the command line chose to do; run after parsing, so that errors leave through one door.
struct Choice {
    commands::Common common;
    commands::InitOptions init;
    commands::CheckOptions check;
    commands::VerifyOptions verify;
    commands::KeyOptions key;
    commands::AgentOptions agent;
    commands::FlushOptions flush;
    commands::StatusOptions status;
    commands::ExpireOptions expire;
    commands::BackfillOptions backfill;
    commands::UnpackOptions unpack;
    std::string path;
    std::uint32_t timeline = 0;
    bool no_server = false;
    std::string fetch_name;
    std::string fetch_path;
    bool no_switch = false;
    std::function<int()> run;
};

std::string settings_text() {
    std::string text = "Settings of the configuration file (TOML):\n";
    for (const cli::SettingHelp& setting : cli::setting_help())
        text +=
            format("  {:<28} {}{}\n", setting.name, setting.meaning,
                   setting.default_value == "required" ? std::string(" (required)")
                                                       : format(" [{}]", setting.default_value));
    return text;
}

/// Adds a command that takes --json.
CLI::App* add_command(CLI::App& parent, Choice& choice, const std::string& name,
                      const std::string& help, std::function<int()> run) {
    CLI::App* command = parent.add_subcommand(name, help);
    command->add_flag_callback(
        "--json", [&choice] { choice.common.output = commands::Output::json; },
        "Print JSON for programs");
    command->callback([&choice, run = std::move(run)] { choice.run = run; });
    return command;
}

void add_key_commands(CLI::App& app, Choice& choice) {
    CLI::App* keys = app.add_subcommand("keys", "List, add, remove, rotate and test keys");
    keys->require_subcommand(1);
    keys->add_flag("--unlock-by-passphrase", choice.key.unlocks_by_passphrase,
                   "Open the repository with a passphrase instead of the configured key");
    add_command(*keys, choice, "list", "Show the key slots of the repository",
                [&] { return commands::list_keys(choice.common, choice.key); });
    CLI::App* add = add_command(*keys, choice, "add", "Add another key, as a file or a passphrase",
                                [&] { return commands::add_key(choice.common, choice.key); });
    add->add_option(
           "--bundle", choice.key.bundle,
           "\"read\": may do everything; \"put\": may archive this cluster and not read it")
        ->check(CLI::IsMember({"read", "put"}));
    add->add_option("--key-file", choice.key.key_file, "Write the new key to this file, mode 0600");
    add->add_flag("--passphrase", choice.key.is_passphrase, "Ask for a passphrase instead");
    add->add_option("--label", choice.key.label, "Who holds the key, for the list")
        ->check(CLI::Validator(
            [](std::string& text) {
                return text.size() <= 200 ? std::string() : std::string("at most 200 bytes");
            },
            ""));
    CLI::App* remove =
        add_command(*keys, choice, "remove", "Remove a key slot; consider \"rotate\" afterwards",
                    [&] { return commands::remove_key(choice.common, choice.key); });
    remove->add_option("SLOT", choice.key.slot, "Slot id, or its unique beginning")->required();
    CLI::App* rotate = add_command(
        *keys, choice, "rotate",
        "Seal everything archived from now on to a new key, opened by the remaining slots",
        [&] { return commands::rotate_keys(choice.common, choice.key); });
    rotate->add_flag("--complete", choice.key.completes,
                     "Finish a rotation that was interrupted; you vouch for every slot");
    CLI::App* test = add_command(*keys, choice, "test",
                                 "Prove that a key, or a copy of it, opens the repository",
                                 [&] { return commands::test_key(choice.common, choice.key); });
    test->add_option("--key-file", choice.key.key_file,
                     "The copy to test; else the configured key");
    test->add_flag("--passphrase", choice.key.is_passphrase, "Test a passphrase");
    add_command(
        *keys, choice, "generate",
        "Print a new key for key_env, or for a key management service; it is stored nowhere",
        [&] { return commands::generate_key(choice.common); });
}

/// "walden fetch ...": walden-fetch becomes this for S3. PostgreSQL reads its exit status, so
/// nothing but the reader of arguments that both share comes before it.
bool is_fetch(int argc, char** argv) {
    return argc > 1 && std::string_view(argv[1]) == "fetch";
}

int run_as_fetch(int argc, char** argv) {
    cli::prepare_process(cli::fetch_exit_internal, cli::fetch_exit_internal);
    cli::set_program_name("walden fetch");
    return cli::run_fetch_program(argc - 1, argv + 1, "walden fetch",
                                  [](const cli::Arguments& arguments) {
                                      return cli::fetch_here(arguments, commands::open_any_store);
                                  });
}

/// For --help and for "walden --config FILE fetch ...".
void add_fetch_command(CLI::App& app, Choice& choice) {
    CLI::App* fetch = app.add_subcommand(
        "fetch", "Bring one archived file, as walden-fetch does and with its exit status");
    fetch->add_option("NAME", choice.fetch_name, "The file's name in the archive")->required();
    fetch->add_option("PATH", choice.fetch_path, "Where it goes")->required();
    fetch->callback([&choice] {
        choice.run = [&choice] {
            std::vector<std::string> words = {"walden", "fetch"};
            if (!choice.common.config_path.empty())
                words.insert(words.end(), {"--config", choice.common.config_path});
            words.insert(words.end(), {choice.fetch_name, choice.fetch_path});
            std::vector<char*> argv;
            for (std::string& word : words) argv.push_back(word.data());
            argv.push_back(nullptr);
            return run_as_fetch(static_cast<int>(words.size()), argv.data());
        };
    });
}

void add_agent_commands(CLI::App& app, Choice& choice) {
    CLI::App* agent = add_command(app, choice, "agent",
                                  "Archive and fetch ahead of PostgreSQL; walden-push and "
                                  "walden-fetch start it on demand",
                                  [&] { return commands::agent(choice.common, choice.agent); });
    agent->add_flag("--stop", choice.agent.stops, "Stop the running agent, and wait for its end");
    // Only for walden-push: not in the help.
    agent->add_option("--ready-fd", choice.agent.ready_fd, "")->group("")->check(CLI::Range(3, 3));
    CLI::App* push = add_command(app, choice, "push",
                                 "Archive one file of pg_wal, as walden-push does without an agent",
                                 [&] { return commands::push(choice.common, choice.path); });
    push->add_option("PATH", choice.path, "The file, as PostgreSQL's %p has it")->required();
    CLI::App* flush =
        add_command(app, choice, "flush", "Wait until everything that is ready now is durable",
                    [&] { return commands::flush(choice.common, choice.flush); });
    flush
        ->add_option("--timeout", choice.flush.timeout_seconds,
                     "Give up after so many seconds; without it, never")
        ->check(CLI::Range(1U, 31'536'000U));
    CLI::App* status =
        add_command(app, choice, "status",
                    "Show backlog, rates and errors of archiving, and how far a recovery is",
                    [&] { return commands::status(choice.common, choice.status); });
    status->add_flag("--prometheus", choice.status.is_prometheus,
                     "Print metrics for Prometheus instead");
    status->add_option("--conninfo", choice.status.conninfo,
                       "How to connect to a recovering server, as for psql; else as its "
                       "postmaster.pid says");
}

void add_commands(CLI::App& app, Choice& choice) {
    CLI::App* init = add_command(app, choice, "init",
                                 "Make the repository and its key, and register the cluster",
                                 [&] { return commands::init(choice.common, choice.init); });
    init->add_flag("--new-system", choice.init.registers_new_system,
                   "Register a new system identifier, after initdb or pg_upgrade");
    init->add_flag("--accept-unfenced", choice.init.accepts_unfenced,
                   "Use a store that cannot keep objects from being overwritten");
    CLI::App* check = add_command(app, choice, "check",
                                  "Check configuration, key, store, archive and server", [&] {
                                      choice.check.asks_server = !choice.no_server;
                                      choice.check.archives = !choice.no_switch;
                                      return commands::check(choice.common, choice.check);
                                  });
    check->add_option("--conninfo", choice.check.conninfo,
                      "How to connect to the server, as for psql; else PGHOST and the like");
    check->add_flag("--no-server", choice.no_server, "Do not ask the server");
    check->add_flag("--no-switch", choice.no_switch,
                    "Do not have the server end its segment to see it archived");
    check
        ->add_option("--target-timeline", choice.check.target_timeline,
                     "Can recovery follow this timeline? In decimal; without it, the latest")
        ->check(CLI::Range(1U, 0xFFFFFFFFU));
    add_agent_commands(app, choice);
    add_command(app, choice, "info", "Show what the archive holds and what can be restored",
                [&] { return commands::info(choice.common); });
    CLI::App* verify =
        add_command(app, choice, "verify", "Prove that everything in the archive is whole",
                    [&] { return commands::verify(choice.common, choice.verify); });
    verify->add_flag("--shallow", choice.verify.is_shallow,
                     "Names, entries and checksums only; works with a put key");
    CLI::App* unpack =
        add_command(app, choice, "unpack", "Turn one content object back into the file it was",
                    [&] { return commands::unpack(choice.common, choice.unpack); });
    unpack->add_option("FILE", choice.unpack.path, "A content object, copied from the store")
        ->required();
    unpack->add_option("-o,--output", choice.unpack.output_path, "The file to write, a new one")
        ->required();
    unpack->add_option("--object", choice.unpack.object_key,
                       "The object's key in the store, where FILE has another name");
    CLI::App* expire =
        add_command(app, choice, "expire", "Remove what interrupted uploads left in the store",
                    [&] { return commands::expire(choice.common, choice.expire); });
    expire->add_flag("--dry-run", choice.expire.is_dry_run, "Show what would be removed");
    expire
        ->add_option("--older-than", choice.expire.older_than_hours,
                     "Hours since a multipart upload began; 24 by default")
        ->check(CLI::Range(1U, 87'600U));
    CLI::App* backfill = add_command(
        app, choice, "backfill",
        "After a failover: archive what the old primary left unarchived, from this server's pg_wal",
        [&] { return commands::backfill(choice.common, choice.backfill); });
    backfill->add_flag("--dry-run", choice.backfill.is_dry_run, "Show what would be archived");
    add_fetch_command(app, choice);
    add_key_commands(app, choice);
    CLI::App* adopt = add_command(app, choice, "adopt", "Make this host the owner of a timeline",
                                  [&] { return commands::adopt(choice.common, choice.timeline); });
    adopt->add_option("--timeline", choice.timeline, "Its number, in decimal")
        ->required()
        ->check(CLI::Range(1U, 0xFFFFFFFFU));
}

/// The innermost command that was recognised; `app` itself if none was.
const CLI::App& chosen_command(const CLI::App& app) {
    const std::vector<CLI::App*> chosen = app.get_subcommands();
    return chosen.empty() ? app : chosen_command(*chosen.front());
}

/// "init, check, info ...": the commands that `parent` has.
std::string command_names(const CLI::App& parent) {
    std::string names;
    for (const CLI::App* command : parent.get_subcommands([](const CLI::App*) { return true; }))
        names += format("{}{}", names.empty() ? "" : ", ", command->get_name());
    return names;
}

/// CLI11 says "A subcommand is required" of a mistyped one, too, and names it nowhere.
Error describe(const CLI::App& app, const CLI::ParseError& error) {
    const CLI::App& command = chosen_command(app);
    const std::string path = &command == &app ? "" : command.get_name() + " ";
    const std::vector<std::string> rest = app.remaining(true);
    const std::string help = format("\"walden {}--help\" describes them.", path);
    if (command.get_require_subcommand_min() > 0) {
        const bool has_word = !rest.empty() && !rest.front().starts_with('-');
        return Error(ErrorKind::usage, has_word
                                           ? format("unknown command \"{}{}\"", path, rest.front())
                                           : std::string("a command is missing"))
            .with_hint(format("The commands are: {}. {}", command_names(command), help));
    }
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !rest.empty())
        return Error(ErrorKind::usage, format("unexpected argument \"{}\"", rest.front()))
            .with_hint(format("\"walden {}--help\" shows what can be given.", path));
    return Error(ErrorKind::usage, error.what()).with_hint("Try --help.");
}

int run(int argc, char** argv) {
    CLI::App app("Archives PostgreSQL's WAL and brings it back.", "walden");
    Choice choice;
    app.require_subcommand(1);
    app.set_version_flag("--version", format("walden {}", cli::version_text()));
    app.add_option("--config", choice.common.config_path,
                   "Configuration, else $WALDEN_CONFIG, else /etc/walden/walden.toml");
    app.fallthrough();
    add_commands(app, choice);
    // After the commands, which would inherit it.
    app.footer("\n" + settings_text() +
               "\nExit status: 0 all is well, 1 something is not, 2 the command line is wrong.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {
        return app.exit(success);
    } catch (const CLI::ParseError& error) {
        cli::report_error(describe(app, error));
        return exit_usage;
    }
    return choice.run();
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
    return exit_problem;
}

}  // namespace

}  // namespace walden

int main(int argc, char** argv) {
    if (walden::is_fetch(argc, argv)) return walden::run_as_fetch(argc, argv);
    walden::cli::prepare_process(walden::exit_problem, walden::exit_problem);
    return walden::run_reporting(argc, argv);
}
