// The door to CLI11: how a command of `walden` describes itself.
//
//     struct VerifyOptions { bool is_shallow = false; };
//
//     void add_verify(const cli::Command& parent) {
//         const auto options = std::make_shared<VerifyOptions>();
//         const cli::Command command = parent.command(
//             "verify", "Prove that everything in the archive is whole",
//             [options](const cli::Common& common) { return verify(common, *options); });
//         command.flag("--shallow", options->is_shallow, "Names and checksums only");
//     }
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace walden::cli {

enum class Output : std::uint8_t { text, json };

/// What every command is told.
struct Common {
    std::string config_path;  ///< empty: the default
    Output output = Output::text;

    [[nodiscard]] bool is_json() const { return output == Output::json; }
};

inline constexpr int exit_good = 0;
inline constexpr int exit_problem = 1;
inline constexpr int exit_usage = 2;  ///< the command line is wrong

/// Runs a command that was chosen; returns the exit status: exit_good or exit_problem.
using RunCommand = std::function<int(const Common&)>;

/// What is allowed of an option or operand. Refers to the command line that is being described.
class Option {
public:
    explicit Option(CLI::Option& option) : option_(option) {}

    const Option& required() const;
    const Option& between(std::uint32_t min, std::uint32_t max) const;
    const Option& one_of(const std::vector<std::string>& words) const;
    const Option& at_most_bytes(std::size_t count) const;
    const Option& hidden() const;  ///< not in the help

private:
    CLI::Option& option_;
};

/// What the command line has chosen.
struct Choice {
    Common common;
    RunCommand run;
};

/// `walden`, or a command below it, while it is being described. A value that is passed by
/// reference must live as long as `run`: make it part of what `run` holds.
class Command {
public:
    Command(CLI::App& app, Choice& choice) : app_(app), choice_(choice) {}

    /// A command below this one, which takes --json.
    Command command(const std::string& name, const std::string& help, RunCommand run) const;

    /// As `command`, without --json: one whose output is not its own.
    Command plain_command(const std::string& name, const std::string& help, RunCommand run) const;

    /// A name below which commands are, such as "keys".
    Command group(const std::string& name, const std::string& help) const;

    /// "--dry-run", or "-n,--dry-run". Sets `value` to the opposite of what it is now.
    Option flag(const std::string& names, bool& value, const std::string& help) const;

    Option option(const std::string& names, std::string& value, const std::string& help) const;
    Option option(const std::string& names, std::uint32_t& value, const std::string& help) const;
    Option option(const std::string& names, int& value, const std::string& help) const;

    /// A word without a name, which must be given.
    void operand(const std::string& name, std::string& value, const std::string& help) const;

private:
    CLI::App& app_;
    Choice& choice_;
};

/// Adds one command, or a group of them.
using AddCommand = void (*)(const Command& parent);

struct CommandLineText {
    std::string about;   ///< one sentence in front of the help
    std::string footer;  ///< behind the help of `walden` itself
};

/// Reads the command line and runs what it chooses. Returns the exit status; a command line that is
/// wrong is reported. Throws what the command throws.
int run_command_line(int argc, char** argv, std::span<const AddCommand> commands,
                     const CommandLineText& text);

}  // namespace walden::cli
