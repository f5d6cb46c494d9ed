// Settings: each one's name, place, check, default and text stand together, in one line of a table.
//
//     struct ArchiveSection { std::chrono::milliseconds deadline{60'000}; };
//
//     std::vector<Setting<ArchiveSection>> table = {
//         setting("deadline", &ArchiveSection::deadline, duration_value(), "until when ...")};
//
// The default is the member's initialiser; the help shows what it is.
#pragma once

#include "base/config_value.h"
#include "base/format.h"

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace walden {

/// Name, default and meaning of one setting, for --help and the man pages.
struct SettingHelp {
    std::string name;           ///< "store.url"
    std::string default_value;  ///< as written in TOML, "required" or "unset"
    std::string meaning;
};

/// How the values of one type are read and checked, and how they are written in a file.
template <class T>
struct ValueKind {
    std::function<T(const ConfigValue&)> read;  ///< throws BadValue
    std::function<std::string(const T&)> show;  ///< "unset" for what stands for no value
};

[[nodiscard]] inline std::string toml_text(std::string_view text) {
    return text.empty() ? std::string("unset") : format("\"{}\"", text);
}

[[nodiscard]] inline ValueKind<std::string> text_value(
    std::function<std::string(const ConfigValue&)> read = text_of) {
    return {std::move(read), [](const std::string& text) { return toml_text(text); }};
}

[[nodiscard]] inline ValueKind<std::string> path_value() {
    return text_value(absolute_path_of);
}

[[nodiscard]] inline ValueKind<bool> flag_value() {
    return {flag_of, [](bool flag) { return std::string(flag ? "true" : "false"); }};
}

template <class T>
[[nodiscard]] ValueKind<T> number_value(std::int64_t min, std::int64_t max) {
    return {[=](const ConfigValue& value) { return static_cast<T>(number_of(value, min, max)); },
            [](const T& number) { return format("{}", number); }};
}

[[nodiscard]] inline ValueKind<std::chrono::milliseconds> duration_value() {
    return {duration_of,
            [](std::chrono::milliseconds duration) { return toml_text(duration_text(duration)); }};
}

[[nodiscard]] inline ValueKind<std::size_t> size_value(std::size_t min, std::size_t max) {
    return {[=](const ConfigValue& value) { return size_of(value, min, max); },
            [](std::size_t bytes) { return toml_text(size_setting_text(bytes)); }};
}

/// One of several words, each of which stands for a value.
template <class T>
[[nodiscard]] ValueKind<T> word_value(std::initializer_list<std::pair<std::string_view, T>> words) {
    const std::vector<std::pair<std::string_view, T>> all(words);
    return {[all](const ConfigValue& value) {
                const auto* text = value.as<std::string>();
                std::string wanted;
                for (const auto& [word, meant] : all) {
                    if (text != nullptr && *text == word) return meant;
                    wanted += format("{}\"{}\"", wanted.empty() ? "" : " or ", word);
                }
                throw BadValue{wanted};
            },
            [all](const T& value) {
                for (const auto& [word, meant] : all)
                    if (meant == value) return toml_text(word);
                return std::string("unset");
            }};
}

/// As `kind`, of a member that may be without a value.
template <class T>
[[nodiscard]] ValueKind<std::optional<T>> optional_value(ValueKind<T> kind) {
    return {[read = kind.read](const ConfigValue& value) { return std::optional<T>(read(value)); },
            [show = kind.show](const std::optional<T>& value) {
                return value ? show(*value) : std::string("unset");
            }};
}

/// One setting of a `Target`.
template <class Target>
struct Setting {
    SettingHelp help;
    std::function<void(Target&, const ConfigValue&)> read;  ///< throws BadValue or ConfigFault
    std::vector<SettingHelp> parts = {};                    ///< of what is no single value
    bool is_section = false;

    [[nodiscard]] bool is_required() const { return help.default_value == "required"; }
};

template <class Target, class T>
[[nodiscard]] Setting<Target> setting(std::string name, T Target::*member, ValueKind<T> kind,
                                      std::string meaning) {
    return {.help = {.name = std::move(name),
                     .default_value = kind.show(Target().*member),
                     .meaning = std::move(meaning)},
            .read = [member, read = kind.read](Target& target, const ConfigValue& value) {
                target.*member = read(value);
            }};
}

/// As `setting`, one that must be given.
template <class Target, class T>
[[nodiscard]] Setting<Target> required_setting(std::string name, T Target::*member,
                                               ValueKind<T> kind, std::string meaning) {
    auto made = setting(std::move(name), member, std::move(kind), std::move(meaning));
    made.help.default_value = "required";
    return made;
}

/// Reads a table by its settings. Those that are not given keep the value that they have. Throws
/// ConfigFault.
template <class Target>
void read_settings(const ConfigTable& table, const std::vector<Setting<Target>>& settings,
                   Target& target);

/// The names of `settings` as parts of what is called `name`.
template <class Target>
[[nodiscard]] std::vector<SettingHelp> parts_of(const std::string& name,
                                                const std::vector<Setting<Target>>& settings) {
    std::vector<SettingHelp> parts;
    const auto add = [&](const SettingHelp& help) {
        parts.push_back(help);
        parts.back().name = format("{}.{}", name, help.name);
    };
    for (const Setting<Target>& setting : settings) {
        if (!setting.is_section) add(setting.help);
        for (const SettingHelp& part : setting.parts) add(part);
    }
    return parts;
}

/// A section, "[store]": a member that is a struct of its own.
template <class Target, class Section>
[[nodiscard]] Setting<Target> section_setting(const std::string& name, Section Target::*member,
                                              std::vector<Setting<Section>> settings) {
    Setting<Target> made;
    made.help.name = name;
    made.is_section = true;
    made.parts = parts_of(name, settings);
    made.read = [=](Target& target, const ConfigValue& value) {
        const auto* table = value.as<ConfigTable>();
        if (table == nullptr) throw BadValue{format("a section, [{}]", name)};
        read_settings(*table, settings, target.*member);
    };
    return made;
}

/// An array of tables, "[[tier]]" of its section, each of which is one `Element`.
template <class Target, class Element>
[[nodiscard]] Setting<Target> table_list_setting(const std::string& name,
                                                 std::vector<Element> Target::*member,
                                                 std::vector<Setting<Element>> settings,
                                                 std::string meaning) {
    Setting<Target> made;
    made.help = {.name = name, .default_value = "[]", .meaning = std::move(meaning)};
    made.parts = parts_of(name, settings);
    made.read = [=](Target& target, const ConfigValue& value) {
        const BadValue bad{"tables, each one begun by its name in double brackets"};
        const auto* list = value.as<ConfigList>();
        if (list == nullptr) throw bad;
        (target.*member).clear();
        for (const ConfigValue& element : *list) {
            const auto* table = element.as<ConfigTable>();
            if (table == nullptr) throw bad;
            read_settings(*table, settings, (target.*member).emplace_back());
        }
    };
    return made;
}

/// Reads one member by its setting, nullptr if there is none of its name.
template <class Target>
void read_setting(const ConfigMember& member, const Setting<Target>* setting, Target& target) {
    if (setting == nullptr) throw ConfigFault{member.line, member.name, ""};
    try {
        setting->read(target, member.value);
    } catch (const BadValue& bad) {
        throw ConfigFault{member.line, member.name, format("must be {}", bad.wanted)};
    } catch (ConfigFault& fault) {
        fault.name = format("{}.{}", member.name, fault.name);
        throw;
    }
}

template <class Target>
void read_settings(const ConfigTable& table, const std::vector<Setting<Target>>& settings,
                   Target& target) {
    for (const ConfigMember& member : table) {
        const auto found = std::find_if(
            settings.begin(), settings.end(),
            [&](const Setting<Target>& candidate) { return candidate.help.name == member.name; });
        read_setting(member, found == settings.end() ? nullptr : &*found, target);
    }
    for (const Setting<Target>& setting : settings) {
        const std::string& name = setting.help.name;
        const bool is_given = std::any_of(table.begin(), table.end(),
                                          [&](const auto& member) { return member.name == name; });
        if (is_given) continue;
        if (setting.is_required()) throw ConfigFault{0, name, "is missing"};
        // What a section must have is missing with the section.
        if (setting.is_section)
            read_setting({.name = name, .line = 0, .value = ConfigValue(ConfigTable{})}, &setting,
                         target);
    }
}

}  // namespace walden
