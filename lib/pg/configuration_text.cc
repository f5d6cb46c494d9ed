#include "pg/configuration_text.h"

#include "base/error.h"

#include <algorithm>

namespace walden::pg {

namespace {

constexpr std::string_view blanks = " \t\r\f\v";
constexpr std::string_view escapes = "bfnrt";
constexpr std::string_view escaped = "\b\f\n\r\t";

bool is_name_byte(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '.' ||
           static_cast<unsigned char>(byte) >= 0x80;
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& byte : lower)
        if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte - 'A' + 'a');
    return lower;
}

void skip_blanks(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
}

bool is_octal(char byte) {
    return byte >= '0' && byte <= '7';
}

/// What follows a backslash; takes it off `text`.
char take_escaped(std::string_view& text) {
    const char byte = text.front();
    if (is_octal(byte)) {
        unsigned value = 0;
        for (int digit = 0; digit < 3 && !text.empty() && is_octal(text.front()); ++digit) {
            value = value * 8 + static_cast<unsigned>(text.front() - '0');
            text.remove_prefix(1);
        }
        return static_cast<char>(value & 0xFF);
    }
    text.remove_prefix(1);
    const auto place = escapes.find(byte);
    return place == std::string_view::npos ? byte : escaped[place];
}

/// `text` begins behind the first quote; it is left behind the last.
std::optional<std::string> take_quoted(std::string_view& text) {
    std::string value;
    while (!text.empty()) {
        const char byte = text.front();
        text.remove_prefix(1);
        if (byte == '\'') {
            if (!text.starts_with('\'')) return value;
            text.remove_prefix(1);
            value += byte;
        } else if (byte == '\\') {
            if (text.empty()) return std::nullopt;
            value += take_escaped(text);
        } else {
            value += byte;
        }
    }
    return std::nullopt;
}

}  // namespace

std::string_view take_line(std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    return line;
}

std::optional<Setting> parse_setting(std::string_view line) {
    skip_blanks(line);
    const auto name_end = std::find_if_not(line.begin(), line.end(), is_name_byte);
    Setting setting{.name = lower_case({line.begin(), name_end}), .value = {}};
    line.remove_prefix(setting.name.size());
    if (setting.name.empty()) return std::nullopt;
    skip_blanks(line);
    if (line.starts_with('=')) {
        line.remove_prefix(1);
        skip_blanks(line);
    }
    if (line.starts_with('\'')) {
        line.remove_prefix(1);
        auto value = take_quoted(line);
        if (!value) return std::nullopt;
        setting.value = std::move(*value);
    } else {
        setting.value = line.substr(0, line.find_first_of(" \t\r\f\v#"));
        line.remove_prefix(setting.value.size());
        if (setting.value.empty()) return std::nullopt;
    }
    skip_blanks(line);
    if (!line.empty() && line.front() != '#') return std::nullopt;
    return setting;
}

std::string to_line(const Setting& setting) {
    std::string line = setting.name + " = '";
    for (const char byte : setting.value) {
        if (byte == '\0')
            throw Error(ErrorKind::usage, "the value of " + setting.name + " holds a NUL byte");
        const auto place = escaped.find(byte);
        if (place != std::string_view::npos)
            line += std::string("\\") + escapes[place];
        else if (byte == '\'' || byte == '\\')
            line += std::string(2, byte);
        else
            line += byte;
    }
    return line + "'\n";
}

std::optional<std::string> find_setting(std::string_view text, std::string_view name) {
    std::optional<std::string> value;
    while (!text.empty()) {
        auto setting = parse_setting(take_line(text));
        if (setting && setting->name == name) value = std::move(setting->value);
    }
    return value;
}

}  // namespace walden::pg
