#include "tools/config/toml_file.h"

#include <stdexcept>

// An assertion of toml++ ("[^store]" breaks one in 3.3.0) must not end a program by a signal:
// PostgreSQL takes exit codes above 125 for more than a failed call (invariant 3).
namespace walden::cli {
namespace {
[[noreturn]] void fail_toml_assertion() {
    throw std::logic_error("not understood");
}
}  // namespace
}  // namespace walden::cli

#define TOML_ASSERT(condition) \
    ((condition) ? static_cast<void>(0) : walden::cli::fail_toml_assertion())
#include "base/format.h"

#include <toml++/toml.h>

#include <algorithm>

namespace walden::cli {

namespace {

/// Nothing in a configuration is longer. A dotted key nests tables once for each dot, and they are
/// destroyed recursively: a line of a megabyte would need as many stack frames as it has dots.
constexpr std::size_t line_size_max = 4096;

/// A setting in an array of tables of a section is three deep, a list in it one more.
constexpr std::size_t depth_max = 8;

/// False for a line that begins with "[" and goes on with what no section's name begins with.
bool begins_soundly(std::string_view line) {
    const std::size_t bracket = line.find_first_not_of(" \t");
    if (bracket == std::string_view::npos || line[bracket] != '[') return true;
    const std::size_t first = line.find_first_not_of(" \t[", bracket);
    if (first == std::string_view::npos) return true;  // the parser says what is missing
    const char c = line[first];
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-\"'").find(c) != std::string_view::npos;
}

/// What toml++ 3.3.0 must not be given: a letter like a-umlaut outside texts and comments is
/// undefined behaviour in its tables of white space, a section without a name breaks an assertion.
/// Texts of several lines are refused so that each line can be judged alone. Empty if all is well.
std::string_view find_fault(std::string_view line) {
    char quote = '\0';
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quote != '\0') {
            if (c == '\\' && quote == '"') ++i;
            if (c == quote) quote = '\0';
            continue;
        }
        if (c == '#') break;
        if (static_cast<unsigned char>(c) >= 0x80)
            return "only texts and comments may hold other characters than ASCII";
        if (c != '"' && c != '\'') continue;
        if (line.substr(i, 3) == std::string(3, c)) return "a text must end on its line";
        quote = c;
    }
    return begins_soundly(line) ? "" : "a section must have a name";
}

void require_plain_lines(std::string_view text) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        if (line.find('\0') != std::string_view::npos)
            throw TomlFault{number, "configuration contains a zero byte", ""};
        if (line.size() > line_size_max)
            throw TomlFault{number, format("line is longer than {} bytes", line_size_max), ""};
        const std::string_view fault = find_fault(line);
        if (!fault.empty()) throw TomlFault{number, std::string(fault), ""};
        text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
}

std::string_view line_of(std::string_view text, std::size_t number) {
    for (; number > 1; --number) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return "";
        text.remove_prefix(end + 1);
    }
    return text.substr(0, text.find_first_of("\r\n"));
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

std::string_view without_comment(std::string_view text) {
    return text.substr(0, text.find('#'));
}

/// The mistake that most of those make who write TOML for the first time: a text without quotes.
std::string quotes_hint(std::string_view line) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return "";
    const std::string_view name = trimmed(line.substr(0, equals));
    const std::string_view value = trimmed(without_comment(line.substr(equals + 1)));
    if (name.empty() || value.empty() || value.find_first_of("\"'[]{}\\") != std::string_view::npos)
        return "";
    return format("Texts need quotes: {} = \"{}\"", name, value);
}

ConfigTable table_of(const toml::table& table, std::size_t depth);

ConfigValue value_of(const toml::node& node, std::size_t depth) {
    if (depth > depth_max) return {};
    if (const toml::table* table = node.as_table()) return ConfigValue(table_of(*table, depth));
    if (const toml::array* array = node.as_array()) {
        ConfigList list;
        for (const toml::node& element : *array) list.push_back(value_of(element, depth + 1));
        return ConfigValue(std::move(list));
    }
    if (const auto text = node.value_exact<std::string>()) return ConfigValue(*text);
    if (const auto number = node.value_exact<std::int64_t>()) return ConfigValue(*number);
    if (const auto flag = node.value_exact<bool>()) return ConfigValue(*flag);
    return {};
}

ConfigTable table_of(const toml::table& table, std::size_t depth) {
    ConfigTable members;
    for (const auto& [key, node] : table)
        members.push_back({.name = std::string(key.str()),
                           .line = key.source().begin.line,
                           .value = value_of(node, depth + 1)});
    return members;
}

}  // namespace

ConfigTable parse_toml(std::string_view text) {
    require_plain_lines(text);
    try {
        return table_of(toml::parse(text), 0);
    } catch (const toml::parse_error& error) {
        throw TomlFault{error.source().begin.line, std::string(error.description()),
                        quotes_hint(line_of(text, error.source().begin.line))};
    } catch (const std::logic_error& error) {
        throw TomlFault{0, format("configuration is {}", error.what()), ""};
    }
}

}  // namespace walden::cli
