#include "tools/config/config.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/hash.h"
#include "tools/config/toml_file.h"
#include "vault/layout.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace walden::cli {

namespace {

constexpr std::size_t config_size_max = 256 << 10;

std::string cluster_name_of(const ConfigValue& value) {
    std::string name = text_of(value);
    if (!vault::is_cluster_name(name)) throw BadValue{"1 to 63 letters, digits, _ or -"};
    return name;
}

crypto::RepositoryId repository_id_of(const ConfigValue& value) {
    crypto::RepositoryId id{};
    if (!parse_hex(text_of(value), id)) throw BadValue{"32 hex digits"};
    return id;
}

/// [store] is the storage's own, but for the id of what is in it.
Setting<Config> store_section() {
    auto section = section_setting("store", &Config::store, storage::store_setting_table());
    const auto id = setting("id", &Config::repository_id,
                            ValueKind<std::optional<crypto::RepositoryId>>{
                                repository_id_of, [](const auto&) { return std::string("unset"); }},
                            "the repository's id; if given, any other one is refused");
    section.parts.insert(section.parts.begin() + 1, parts_of("store", std::vector{id}).front());
    section.read = [id, read = section.read](Config& config, const ConfigValue& value) {
        const auto* table = value.as<ConfigTable>();
        if (table == nullptr) return read(config, value);
        ConfigTable rest;
        for (const ConfigMember& member : *table) {
            if (member.name == "id")
                read_setting(member, &id, config);
            else
                rest.push_back(member);
        }
        read(config, ConfigValue(std::move(rest)));
    };
    return section;
}

std::vector<Setting<Config>> all_settings() {
    return {
        required_setting("cluster", &Config::cluster, text_value(cluster_name_of),
                         "name of this cluster in the store: letters, digits, _ and -"),
        required_setting("pgdata", &Config::pgdata, path_value(), "the data directory"),
        setting("state_dir", &Config::state_dir, path_value(),
                "where this host keeps its instance id; may be lost at any time"),
        store_section(),
        section_setting("encryption", &Config::encryption, encryption_setting_table()),
        section_setting("codec", &Config::codec, codec_setting_table()),
        section_setting("archive", &Config::archive, archive_setting_table()),
        section_setting("agent", &Config::agent, agent_setting_table()),
        section_setting("fetch", &Config::fetch, fetch_setting_table()),
        section_setting("backup", &Config::backup, backup_setting_table()),
    };
}

/// The one table of settings.
const std::vector<Setting<Config>>& settings() {
    static const std::vector<Setting<Config>> table = all_settings();
    return table;
}

/// What the settings of a section need of one another.
void complete_sections(Config& config) {
    require_complete(config.encryption);
    storage::complete(config.store);
}

Error fault_error(const std::string& path, std::size_t line, const std::string& complaint) {
    return {ErrorKind::usage, line == 0 ? format("{}: {}", path, complaint)
                                        : format("{}:{}: {}", path, line, complaint)};
}

}  // namespace

std::vector<SettingHelp> setting_help() {
    std::vector<SettingHelp> all;
    for (const Setting<Config>& setting : settings()) {
        if (!setting.is_section) all.push_back(setting.help);
        all.insert(all.end(), setting.parts.begin(), setting.parts.end());
    }
    return all;
}

Config parse_config(std::string_view text, const std::string& path) {
    Config config;
    config.path = path;
    config.digest = xxh3_64(as_bytes(text));
    try {
        read_settings(parse_toml(text), settings(), config);
    } catch (const TomlFault& fault) {
        throw fault_error(path, fault.line, fault.complaint).with_hint(fault.hint);
    } catch (const ConfigFault& fault) {
        if (!fault.complaint.empty())
            throw fault_error(path, fault.line, format("{} {}", fault.name, fault.complaint));
        throw fault_error(path, fault.line, format("unknown setting \"{}\"", fault.name))
            .with_hint("\"walden --help\" lists the settings.");
    }
    in_context([&] { return path; }, [&] { complete_sections(config); });
    return config;
}

Config read_config(const std::string& path) {
    std::string chosen = path;
    if (chosen.empty()) {
        const char* variable = std::getenv("WALDEN_CONFIG");
        chosen = variable != nullptr && *variable != '\0' ? std::string(variable)
                                                          : std::string(default_config_path);
    }
    std::optional<Bytes> text;
    try {
        text = read_file(chosen, config_size_max);
    } catch (Error& error) {
        const bool is_denied = ::access(chosen.c_str(), R_OK) != 0 && errno == EACCES;
        throw Error(ErrorKind::usage, format("configuration: {}", error.message()))
            .with_hint(is_denied ? "Run this as the user of the server, who must be able to read "
                                   "it: \"sudo -u postgres walden ...\"."
                                 : "");
    }
    if (!text)
        throw Error(ErrorKind::usage, format("there is no configuration \"{}\"", chosen))
            .with_hint(
                "Name one with --config or WALDEN_CONFIG. man walden.toml shows the four lines "
                "that it needs.");
    // The agent leaves the directory that a relative path begins at.
    if (chosen.front() != '/') {
        std::error_code unknown;
        const auto current = std::filesystem::current_path(unknown);
        if (!unknown) chosen = (current / chosen).string();
    }
    return parse_config(as_text(*text), chosen);
}

}  // namespace walden::cli
