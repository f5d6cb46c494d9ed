#include "tools/cli/arguments.h"

#include "base/error.h"
#include "base/format.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace walden::cli {

namespace {

std::chrono::milliseconds parse_patience(std::string_view text) {
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc() || end != text.data() + text.size())
        throw Error(ErrorKind::usage, format("\"{}\" is no number of milliseconds", text));
    return std::chrono::milliseconds(count);
}

}  // namespace

Arguments parse_arguments(int argc, char** argv, std::size_t operand_count) {
    Arguments arguments;
    bool only_operands = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (only_operands || !word.starts_with('-') || word == "-") {
            arguments.operands.emplace_back(word);
        } else if (word == "--") {
            only_operands = true;
        } else if (word == "--help" || word == "-h") {
            arguments.wants_help = true;
        } else if (word == "--version") {
            arguments.wants_version = true;
        } else if (word == "--config" && i + 1 < argc) {
            arguments.config_path = argv[++i];
        } else if (word == "--patience" && i + 1 < argc) {
            arguments.patience = parse_patience(argv[++i]);
        } else if (word == "--distrust-agent") {
            arguments.distrusts_agent = true;
        } else if (word.starts_with("--config=")) {
            arguments.config_path = word.substr(std::string_view("--config=").size());
        } else {
            throw Error(ErrorKind::usage, format("unknown option \"{}\"", word))
                .with_hint("Try --help.");
        }
    }
    if (arguments.wants_help || arguments.wants_version) return arguments;
    if (arguments.operands.size() != operand_count)
        throw Error(ErrorKind::usage, format("{} arguments are needed, {} are given", operand_count,
                                             arguments.operands.size()))
            .with_hint("Try --help.");
    return arguments;
}

std::vector<std::string> words_of(const std::string& command, const Arguments& arguments) {
    std::vector<std::string> words = {command, "--config", arguments.config_path};
    if (arguments.patience)
        words.insert(
            words.end(),
            {"--patience", std::to_string(std::max<std::int64_t>(arguments.patience->count(), 1))});
    if (arguments.distrusts_agent) words.emplace_back("--distrust-agent");
    words.emplace_back("--");
    words.insert(words.end(), arguments.operands.begin(), arguments.operands.end());
    return words;
}

}  // namespace walden::cli
