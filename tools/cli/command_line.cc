#include "tools/cli/command_line.h"

#include "base/error.h"
#include "base/format.h"
#include "tools/cli/json.h"
#include "tools/cli/messages.h"
#include "tools/cli/version.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace walden::cli {

namespace {

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

/// How many letters must be added, left out or exchanged (Levenshtein), with two neighbours that
/// changed places as one.
std::size_t distance(std::string_view one, std::string_view other) {
    std::vector<std::vector<std::size_t>> cost(one.size() + 1,
                                               std::vector<std::size_t>(other.size() + 1));
    for (std::size_t i = 0; i <= one.size(); ++i) cost[i][0] = i;
    for (std::size_t j = 0; j <= other.size(); ++j) cost[0][j] = j;
    for (std::size_t i = 1; i <= one.size(); ++i)
        for (std::size_t j = 1; j <= other.size(); ++j) {
            const std::size_t change = one[i - 1] == other[j - 1] ? 0 : 1;
            cost[i][j] =
                std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
            if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    return cost.back().back();
}

/// What other programs of this kind call our commands.
std::string_view translation_of(std::string_view word) {
    constexpr std::pair<std::string_view, std::string_view> words[] = {
        {"version", "--version"}, {"help", "--help"},        {"stanza-create", "init"},
        {"archive-push", "push"}, {"wal-push", "push"},      {"archive-get", "fetch"},
        {"wal-fetch", "fetch"},   {"backup-push", "backup"}, {"backup-fetch", "restore"},
        {"backup-list", "info"},  {"list", "info"},          {"start", "agent"},
        {"stop", "agent --stop"}, {"recover", "restore"},
    };
    for (const auto& [theirs, ours] : words)
        if (theirs == word) return ours;
    return "";
}

/// The command that was probably meant; empty if none is near.
std::string nearest_command(const CLI::App& parent, const std::string& word) {
    if (parent.get_parent() == nullptr && !translation_of(word).empty())
        return std::string(translation_of(word));
    std::string nearest;
    std::size_t best = word.size() < 5 ? 2 : 3;  // one wrong letter of a short word, else two
    for (const CLI::App* command : parent.get_subcommands([](const CLI::App*) { return true; })) {
        const std::size_t letters = distance(word, command->get_name());
        if (letters >= best) continue;
        best = letters;
        nearest = command->get_name();
    }
    return nearest;
}

/// CLI11 says "A subcommand is required" of a mistyped one, too, and names it nowhere.
Error describe(const CLI::App& app, const CLI::ParseError& error) {
    const CLI::App& command = chosen_command(app);
    const std::string path = &command == &app ? "" : command.get_name() + " ";
    const std::vector<std::string> rest = app.remaining(true);
    const std::string help = format("\"walden {}--help\" describes them.", path);
    if (command.get_require_subcommand_min() > 0) {
        const bool has_word = !rest.empty() && !rest.front().starts_with('-');
        const std::string meant = has_word ? nearest_command(command, rest.front()) : "";
        const std::string hint =
            format("{}The commands are: {}. {}",
                   meant.empty() ? "" : format("Did you mean \"walden {}{}\"? ", path, meant),
                   command_names(command), help);
        return Error(ErrorKind::usage, has_word
                                           ? format("unknown command \"{}{}\"", path, rest.front())
                                           : std::string("a command is missing"))
            .with_hint(hint);
    }
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !rest.empty())
        return Error(ErrorKind::usage, format("unexpected argument \"{}\"", rest.front()))
            .with_hint(format("\"walden {}--help\" shows what can be given.", path));
    return Error(ErrorKind::usage, error.what()).with_hint("Try --help.");
}

}  // namespace

const Option& Option::required() const {
    option_.required();
    return *this;
}

const Option& Option::between(std::uint32_t min, std::uint32_t max) const {
    option_.check(CLI::Range(min, max));
    return *this;
}

const Option& Option::one_of(const std::vector<std::string>& words) const {
    option_.check(CLI::IsMember(words));
    return *this;
}

const Option& Option::at_most_bytes(std::size_t count) const {
    option_.check(CLI::Validator(
        [count](std::string& text) {
            return text.size() <= count ? std::string() : format("at most {} bytes", count);
        },
        ""));
    return *this;
}

const Option& Option::hidden() const {
    option_.group("");
    return *this;
}

Command Command::command(const std::string& name, const std::string& help, RunCommand run) const {
    const Command made = plain_command(name, help, std::move(run));
    made.app_.add_flag_callback(
        "--json", [&choice = choice_] { choice.common.output = Output::json; },
        "Print JSON for programs");
    return made;
}

Command Command::plain_command(const std::string& name, const std::string& help,
                               RunCommand run) const {
    CLI::App* app = app_.add_subcommand(name, help);
    app->callback([&choice = choice_, run = std::move(run)] { choice.run = run; });
    return {*app, choice_};
}

Command Command::group(const std::string& name, const std::string& help) const {
    CLI::App* app = app_.add_subcommand(name, help);
    app->require_subcommand(1);
    return {*app, choice_};
}

Option Command::flag(const std::string& names, bool& value, const std::string& help) const {
    return Option(*app_.add_flag_callback(
        names, [&value, set = !value] { value = set; }, help));
}

Option Command::option(const std::string& names, std::string& value,
                       const std::string& help) const {
    return Option(*app_.add_option(names, value, help));
}

Option Command::option(const std::string& names, std::uint32_t& value,
                       const std::string& help) const {
    return Option(*app_.add_option(names, value, help));
}

Option Command::option(const std::string& names, int& value, const std::string& help) const {
    return Option(*app_.add_option(names, value, help));
}

void Command::operand(const std::string& name, std::string& value, const std::string& help) const {
    app_.add_option(name, value, help)->required();
}

int run_command_line(int argc, char** argv, std::span<const AddCommand> commands,
                     const CommandLineText& text) {
    CLI::App app(text.about, "walden");
    Choice choice;
    app.require_subcommand(1);
    app.set_version_flag("--version", format("walden {}", version_text()));
    app.add_option("--config", choice.common.config_path,
                   "Configuration, else $WALDEN_CONFIG, else /etc/walden/walden.toml");
    app.fallthrough();
    for (const AddCommand add : commands) add(Command(app, choice));
    // After the commands, which would inherit it.
    app.footer(text.footer);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {
        return app.exit(success);
    } catch (const CLI::ParseError& error) {
        report_error(describe(app, error));
        return exit_usage;
    }
    try {
        return choice.run(choice.common);
    } catch (const Error& error) {
        if (choice.common.is_json()) print_json_error(error);
        throw;
    }
}

}  // namespace walden::cli
