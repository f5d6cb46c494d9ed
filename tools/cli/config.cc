#include "tools/cli/config.h"

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
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/hash.h"
#include "vault/layout.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <functional>

namespace walden::cli {

namespace {

constexpr std::size_t config_size_max = 256 << 10;

/// Nothing in a configuration is longer. A dotted key nests tables once for each dot, and they are
/// destroyed recursively: a line of a megabyte would need as many stack frames as it has dots.
constexpr std::size_t line_size_max = 4096;

/// A value that is not what its setting wants; the caller adds file, line and name.
struct BadValue {
    std::string wanted;
};

std::string text_of(const toml::node& node) {
    const auto value = node.value_exact<std::string>();
    if (!value || value->empty()) throw BadValue{"a text that is not empty"};
    if (value->find('\0') != std::string::npos) throw BadValue{"a text without zero bytes"};
    return *value;
}

std::string absolute_path_of(const toml::node& node) {
    std::string value = text_of(node);
    if (value.front() != '/') throw BadValue{"an absolute path"};
    while (value.size() > 1 && value.back() == '/') value.pop_back();
    return value;
}

bool flag_of(const toml::node& node) {
    const auto value = node.value_exact<bool>();
    if (!value) throw BadValue{"true or false"};
    return *value;
}

std::int64_t number_of(const toml::node& node, std::int64_t min, std::int64_t max) {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < min || *value > max)
        throw BadValue{format("a number from {} to {}", min, max)};
    return *value;
}

/// "500ms", "30s", "5min", "1h".
std::chrono::milliseconds duration_of(const toml::node& node) {
    const BadValue bad{"a duration such as \"500ms\", \"30s\" or \"5min\", at most a day"};
    const auto value = node.value_exact<std::string>();
    if (!value) throw bad;
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), count);
    const std::string_view unit(end, static_cast<std::size_t>(value->data() + value->size() - end));
    std::uint64_t scale = 0;
    if (unit == "ms") scale = 1;
    if (unit == "s") scale = 1000;
    if (unit == "min") scale = 60'000;
    if (unit == "h") scale = 3'600'000;
    const std::uint64_t total = count * scale;
    if (error != std::errc() || total == 0 || total > 86'400'000) throw bad;
    return std::chrono::milliseconds(total);
}

/// "512KiB", "8MiB", "1GiB".
std::size_t size_of(const toml::node& node, std::size_t min, std::size_t max) {
    const auto value = node.value_exact<std::string>();
    const BadValue bad{
        format("a size such as \"64MiB\", from {}MiB to {}MiB", min >> 20, max >> 20)};
    if (!value) throw bad;
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), count);
    const std::string_view unit(end, static_cast<std::size_t>(value->data() + value->size() - end));
    const unsigned shift = unit == "KiB" ? 10 : unit == "MiB" ? 20 : unit == "GiB" ? 30 : 0;
    const std::size_t total = static_cast<std::size_t>(count) << shift;
    if (error != std::errc() || shift == 0 || total < min || total > max) throw bad;
    return total;
}

template <class Choice>
Choice choice_of(const toml::node& node,
                 std::initializer_list<std::pair<std::string_view, Choice>> choices) {
    const auto value = node.value_exact<std::string>();
    std::string wanted;
    for (const auto& [name, choice] : choices) {
        if (value && *value == name) return choice;
        wanted += format("{}\"{}\"", wanted.empty() ? "" : " or ", name);
    }
    throw BadValue{wanted};
}

std::vector<std::string> command_of(const toml::node& node) {
    const BadValue bad{"a list of texts: the program and its arguments"};
    const toml::array* array = node.as_array();
    if (array == nullptr || array->empty()) throw bad;
    std::vector<std::string> argv;
    for (const toml::node& element : *array) {
        const auto value = element.value_exact<std::string>();
        if (!value || value->find('\0') != std::string::npos) throw bad;
        argv.push_back(*value);
    }
    if (argv.front().empty()) throw bad;
    return argv;
}

void set_key_source(Config& config, crypto::KeySource source) {
    if (config.key_source)
        throw BadValue{"only one of key_file, key_env, key_command and passphrase_file"};
    config.key_source = std::move(source);
}

struct Setting {
    SettingHelp help;
    std::function<void(Config&, const toml::node&)> read;
};

/// A text that becomes a header of a request.
std::string header_text_of(const toml::node& node) {
    std::string value = text_of(node);
    if (std::any_of(value.begin(), value.end(), [](char c) { return c <= ' ' || c > '~'; }))
        throw BadValue{"a text of visible ASCII characters without blanks"};
    return value;
}

std::string endpoint_of(const toml::node& node) {
    std::string value = text_of(node);
    while (value.ends_with('/')) value.pop_back();
    try {
        storage::s3::require_valid_endpoint(value);
    } catch (const Error&) {
        throw BadValue{"the address of a server: https://host or https://host:port"};
    }
    return value;
}

/// Where an S3 store is, and how it is reached.
std::vector<Setting> s3_connection_settings() {
    using namespace storage::s3;
    return {
        {{"store.endpoint", "unset", "of an S3 store that is not AWS: https://host:port"},
         [](Config& c, const toml::node& n) { c.s3.endpoint = endpoint_of(n); }},
        {{"store.region", "unset",
          "of the S3 bucket; else AWS_REGION, the profile's, or us-east-1"},
         [](Config& c, const toml::node& n) { c.s3.region = header_text_of(n); }},
        {{"store.path_style", "unset",
          "true: the bucket is in the path of URLs, false: in the host's name; else true with an "
          "endpoint, false on AWS"},
         [](Config& c, const toml::node& n) {
             c.s3.addressing = flag_of(n) ? Addressing::path : Addressing::virtual_host;
         }},
        {{"store.profile", "unset", "profile of the shared AWS files to use, whatever else is set"},
         [](Config& c, const toml::node& n) { c.s3.profile = text_of(n); }},
        {{"store.ca_file", "unset", "certificates (PEM) to trust instead of the system's"},
         [](Config& c, const toml::node& n) { c.s3.ca_file = absolute_path_of(n); }},
        {{"store.proxy", "unset", "HTTP proxy; those of the environment are not used"},
         [](Config& c, const toml::node& n) { c.s3.proxy = header_text_of(n); }},
        {{"store.connect_timeout", "\"10s\"", "of one connection to the S3 store"},
         [](Config& c, const toml::node& n) { c.s3.connect_timeout = duration_of(n); }},
        {{"store.stall_timeout", "\"20s\"", "a request that moves no byte for so long has failed"},
         [](Config& c, const toml::node& n) { c.s3.stall_timeout = duration_of(n); }},
        {{"store.request_timeout", "\"2min\"", "of one request, however it goes"},
         [](Config& c, const toml::node& n) { c.s3.request_timeout = duration_of(n); }},
    };
}

/// How an S3 store keeps objects.
std::vector<Setting> s3_object_settings() {
    using namespace storage::s3;
    constexpr std::size_t size_max = vault::ObjectStorage::object_size_max;
    return {
        {{"store.storage_class", "unset", "S3 storage class of new objects; else the bucket's"},
         [](Config& c, const toml::node& n) { c.s3.storage_class = header_text_of(n); }},
        {{"store.sse", "unset", "encryption by the store as well: \"AES256\" or \"aws:kms\""},
         [](Config& c, const toml::node& n) {
             c.s3.sse = choice_of<std::string>(n, {{"AES256", "AES256"}, {"aws:kms", "aws:kms"}});
         }},
        {{"store.sse_kms_key_id", "unset", "the key of \"aws:kms\"; else the account's"},
         [](Config& c, const toml::node& n) { c.s3.sse_kms_key_id = header_text_of(n); }},
        {{"store.object_lock_mode", "unset",
          "retention of new objects: \"governance\" or "
          "\"compliance\""},
         [](Config& c, const toml::node& n) {
             c.s3.object_lock_mode =
                 choice_of<ObjectLockMode>(n, {{"governance", ObjectLockMode::governance},
                                               {"compliance", ObjectLockMode::compliance}});
         }},
        {{"store.object_lock_days", "unset", "how long new objects are retained"},
         [](Config& c, const toml::node& n) {
             c.s3.object_lock_days = static_cast<std::uint32_t>(number_of(n, 1, 36'500));
         }},
        {{"store.multipart_threshold", "\"16MiB\"",
          "larger objects go to S3 in parts; \"64MiB\": none does"},
         [](Config& c, const toml::node& n) {
             c.s3.multipart_threshold = size_of(n, part_size_min, size_max);
         }},
        {{"store.part_size", "\"8MiB\"", "of these parts"},
         [](Config& c, const toml::node& n) {
             c.s3.part_size = size_of(n, part_size_min, size_max);
         }},
        {{"store.concurrency", "8", "parts of one object at a time"},
         [](Config& c, const toml::node& n) {
             c.s3.concurrency = static_cast<std::size_t>(number_of(n, 1, 64));
         }},
        {{"store.checksum", "\"crc32c\"",
          "that S3 verifies and keeps: \"crc32c\", \"crc64nvme\" or \"none\""},
         [](Config& c, const toml::node& n) {
             c.s3.checksum = choice_of<Checksum>(n, {{"crc32c", Checksum::crc32c},
                                                     {"crc64nvme", Checksum::crc64nvme},
                                                     {"none", Checksum::none}});
         }},
        {{"store.payload_hash", "\"always\"",
          "SHA-256 of what is sent to S3: \"always\", or where the endpoint is \"http\""},
         [](Config& c, const toml::node& n) {
             c.s3.payload_hash = choice_of<PayloadHash>(
                 n, {{"always", PayloadHash::always}, {"http", PayloadHash::http}});
         }},
        {{"store.fencing", "\"required\"",
          "\"none\" accepts an S3 store that cannot keep objects from being overwritten"},
         [](Config& c, const toml::node& n) {
             c.s3.fencing =
                 choice_of<Fencing>(n, {{"required", Fencing::required}, {"none", Fencing::none}});
         }},
    };
}

std::vector<Setting> all_settings();

/// The one table of settings.
const std::vector<Setting>& settings() {
    static const std::vector<Setting> table = all_settings();
    return table;
}

std::vector<Setting> all_settings() {
    std::vector<Setting> table = {
        {{"cluster", "required", "name of this cluster in the store: letters, digits, _ and -"},
         [](Config& c, const toml::node& n) {
             c.cluster = text_of(n);
             if (!vault::is_cluster_name(c.cluster))
                 throw BadValue{"1 to 63 letters, digits, _ or -"};
         }},
        {{"pgdata", "required", "the data directory"},
         [](Config& c, const toml::node& n) { c.pgdata = absolute_path_of(n); }},
        {{"state_dir", "\"/var/lib/walden/state\"",
          "where this host keeps its instance id; may be lost at any time"},
         [](Config& c, const toml::node& n) { c.state_dir = absolute_path_of(n); }},
        {{"store.url", "required",
          "where the repository is: file:///absolute/path or s3://bucket/prefix"},
         [](Config& c, const toml::node& n) { c.store_url = text_of(n); }},
        {{"store.id", "unset", "the repository's id; if given, any other one is refused"},
         [](Config& c, const toml::node& n) {
             crypto::RepositoryId id{};
             if (!parse_hex(text_of(n), id)) throw BadValue{"32 hex digits"};
             c.store_id = id;
         }},
        {{"encryption.enabled", "true",
          "false stores everything readable by whoever has the store"},
         [](Config& c, const toml::node& n) { c.encryption_enabled = flag_of(n); }},
        {{"encryption.key_file", "unset", "file with the key, mode 0600; made by \"walden init\""},
         [](Config& c, const toml::node& n) {
             c.key_file = absolute_path_of(n);
             set_key_source(c, crypto::KeyFile{c.key_file});
         }},
        {{"encryption.key_env", "unset", "name of an environment variable that holds the key"},
         [](Config& c, const toml::node& n) {
             set_key_source(c, crypto::KeyEnvironment{text_of(n)});
         }},
        {{"encryption.key_command", "unset",
          "program and arguments (no shell) that print the key, for a KMS"},
         [](Config& c, const toml::node& n) {
             set_key_source(c, crypto::KeyCommand{.argv = command_of(n)});
         }},
        {{"encryption.passphrase_file", "unset",
          "file with a passphrase, mode 0600; each start then takes about half a second"},
         [](Config& c, const toml::node& n) {
             set_key_source(c, crypto::PassphraseFile{absolute_path_of(n)});
         }},
        {{"codec.method", "\"wal\"",
          "\"wal\" takes segments apart, then zstd; \"zstd\", \"lz4\" or \"none\" do not"},
         [](Config& c, const toml::node& n) {
             c.encoding.method = choice_of<codec::CodecId>(n, {{"wal", codec::CodecId::wal},
                                                               {"zstd", codec::CodecId::zstd},
                                                               {"lz4", codec::CodecId::lz4},
                                                               {"none", codec::CodecId::none}});
         }},
        {{"codec.wal_back_end", "\"zstd\"",
          "what compresses the parts of a segment that \"wal\" has taken apart: \"zstd\" or "
          "\"lz4\""},
         [](Config& c, const toml::node& n) {
             c.encoding.wal_back_end = choice_of<codec::CodecId>(
                 n, {{"zstd", codec::CodecId::zstd}, {"lz4", codec::CodecId::lz4}});
         }},
        {{"codec.level", "1", "1 to 19, of zstd"},
         [](Config& c, const toml::node& n) {
             c.encoding.level = static_cast<int>(number_of(n, 1, 19));
         }},
        {{"archive.on_damaged_wal", "\"archive\"",
          "a segment whose records fail their checks: \"archive\" it marked as damaged, or "
          "\"refuse\" it"},
         [](Config& c, const toml::node& n) {
             using Policy = archive::DamagedWalPolicy;
             c.archive_damaged_wal =
                 choice_of<Policy>(n, {{"archive", Policy::archive}, {"refuse", Policy::refuse}});
         }},
        {{"archive.deadline", "\"60s\"", "until when a command of the archiving side tries again"},
         [](Config& c, const toml::node& n) { c.archive_deadline = duration_of(n); }},
        {{"agent.enabled", "true", "false: each walden-push and walden-fetch does the work itself"},
         [](Config& c, const toml::node& n) { c.agent_enabled = flag_of(n); }},
        {{"agent.idle_timeout", "\"10min\"", "how long the agent stays without anything to do"},
         [](Config& c, const toml::node& n) { c.agent_idle_timeout = duration_of(n); }},
        {{"agent.socket", "unset", "where it listens; else in state_dir"},
         [](Config& c, const toml::node& n) { c.agent_socket = absolute_path_of(n); }},
        {{"agent.in_flight", "8", "files that it archives at once, 1 to 64"},
         [](Config& c, const toml::node& n) {
             c.agent_in_flight = static_cast<std::size_t>(number_of(n, 1, 64));
         }},
        {{"agent.memory", "\"160MiB\"",
          "for the contents of these files, beside some 100 MiB for codec and process; as much "
          "again for those that it fetches during a recovery"},
         [](Config& c, const toml::node& n) {
             c.agent_memory = size_of(n, std::size_t{16} << 20, std::size_t{64} << 30);
         }},
        {{"fetch.standby_on_error", "\"retry\"",
          "a standby whose store cannot be reached: \"retry\" (PostgreSQL asks again; stop it if "
          "it "
          "is being promoted), \"stop\" it, or \"ignore\" (retry, and promote with less)"},
         [](Config& c, const toml::node& n) {
             c.on_standby_error =
                 choice_of<OnStandbyError>(n, {{"retry", OnStandbyError::retry},
                                               {"stop", OnStandbyError::stop},
                                               {"ignore", OnStandbyError::ignore}});
         }},
        {{"fetch.on_damaged_wal", "\"refuse\"",
          "a segment that was damaged already when it was archived: \"refuse\" it, or \"deliver\" "
          "it to recover to a target before the damage"},
         [](Config& c, const toml::node& n) {
             using Policy = recovery::DamagedWalPolicy;
             c.fetch_damaged_wal =
                 choice_of<Policy>(n, {{"refuse", Policy::refuse}, {"deliver", Policy::deliver}});
         }},
        {{"fetch.deadline", "\"60s\"", "until when walden-fetch tries again"},
         [](Config& c, const toml::node& n) { c.fetch_deadline = duration_of(n); }},
        {{"fetch.history_deadline", "\"180s\"",
          "the same for timeline histories, without which recovery takes a wrong line; on a "
          "standby, "
          "which asks again, fetch.deadline holds for them, too"},
         [](Config& c, const toml::node& n) { c.fetch_history_deadline = duration_of(n); }},
        {{"fetch.hole_patience", "\"5s\"",
          "how long a segment is waited for that is missing before a later one: an agent publishes "
          "a few at a time"},
         [](Config& c, const toml::node& n) { c.fetch_hole_patience = duration_of(n); }},
        {{"fetch.prefetch_size", "\"256MiB\"",
          "how much WAL the agent fetches ahead of a recovery at most, on the file system of "
          "pg_wal; "
          "\"0MiB\": none"},
         [](Config& c, const toml::node& n) {
             c.fetch_prefetch_size = size_of(n, 0, std::size_t{64} << 30);
         }},
        {{"fetch.in_flight", "8", "segments that it fetches ahead at once, 1 to 64"},
         [](Config& c, const toml::node& n) {
             c.fetch_in_flight = static_cast<std::size_t>(number_of(n, 1, 64));
         }},
    };
    const auto place = std::find_if(table.begin(), table.end(), [](const Setting& setting) {
        return setting.help.name == "encryption.enabled";
    });
    std::vector<Setting> store = s3_connection_settings();
    for (Setting& setting : s3_object_settings()) store.push_back(std::move(setting));
    table.insert(place, store.begin(), store.end());
    return table;
}

class Reader {
public:
    Reader(Config& config) : config_(config) {}

    void read_table(const toml::table& table, const std::string& prefix) {
        for (const auto& [key, node] : table) {
            const std::string name = prefix + std::string(key.str());
            if (prefix.empty() && node.is_table() && is_section(name)) {
                read_table(*node.as_table(), name + ".");
                continue;
            }
            read_setting(name, node, key.source().begin.line);
        }
    }

private:
    static bool is_section(const std::string& name) {
        return std::any_of(settings().begin(), settings().end(), [&](const Setting& setting) {
            return setting.help.name.starts_with(name + ".");
        });
    }

    /// "" or [], the default of what need not be given.
    static bool is_empty(const toml::node& node) {
        const auto text = node.value_exact<std::string>();
        return (text && text->empty()) || (node.is_array() && node.as_array()->empty());
    }

    void read_setting(const std::string& name, const toml::node& node, std::size_t line) {
        const auto& all = settings();
        const auto setting = std::find_if(all.begin(), all.end(), [&](const Setting& candidate) {
            return candidate.help.name == name;
        });
        if (setting == all.end())
            throw Error(ErrorKind::usage,
                        format("{}:{}: unknown setting \"{}\"", config_.path, line, name))
                .with_hint("\"walden --help\" lists the settings.");
        if (setting->help.default_value.size() == 2 && is_empty(node)) return;  // as if left out
        try {
            setting->read(config_, node);
        } catch (const BadValue& bad) {
            throw Error(ErrorKind::usage,
                        format("{}:{}: {} must be {}", config_.path, line, name, bad.wanted));
        }
    }

    Config& config_;
};

/// What one setting of an S3 store needs of another.
void complete_s3(Config& config) {
    using storage::s3::ObjectLockMode;
    const auto refuse = [&](std::string_view what) {
        throw Error(ErrorKind::usage, format("{}: {}", config.path, what));
    };
    if (storage::s3::is_s3_url(config.store_url))
        in_context([&] { return config.path; },
                   [&] { storage::s3::apply_s3_url(config.s3, config.store_url); });
    if (!config.s3.sse_kms_key_id.empty() && config.s3.sse != "aws:kms")
        refuse("store.sse_kms_key_id needs store.sse = \"aws:kms\"");
    if ((config.s3.object_lock_mode == ObjectLockMode::none) != (config.s3.object_lock_days == 0))
        refuse("store.object_lock_mode and store.object_lock_days need each other");
}

void require_complete(const Config& config) {
    const auto missing = [&](std::string_view name) {
        throw Error(ErrorKind::usage, format("{}: {} is missing", config.path, name));
    };
    if (config.cluster.empty()) missing("cluster");
    if (config.pgdata.empty()) missing("pgdata");
    if (config.store_url.empty()) missing("store.url");
    if (config.encryption_enabled && !config.key_source)
        throw Error(ErrorKind::usage, format("{}: [encryption] names no key", config.path))
            .with_hint(
                "Set key_file, key_env, key_command or passphrase_file, or \"enabled = false\".");
}

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

void require_plain_lines(std::string_view text, const std::string& path) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        if (line.find('\0') != std::string_view::npos)
            throw Error(ErrorKind::usage,
                        format("{}:{}: configuration contains a zero byte", path, number));
        if (line.size() > line_size_max)
            throw Error(ErrorKind::usage,
                        format("{}:{}: line is longer than {} bytes", path, number, line_size_max));
        const std::string_view fault = find_fault(line);
        if (!fault.empty()) throw Error(ErrorKind::usage, format("{}:{}: {}", path, number, fault));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
}

}  // namespace

const std::vector<SettingHelp>& setting_help() {
    static const std::vector<SettingHelp> help = [] {
        std::vector<SettingHelp> all;
        for (const Setting& setting : settings()) all.push_back(setting.help);
        return all;
    }();
    return help;
}

Config parse_config(std::string_view text, const std::string& path) {
    Config config;
    config.path = path;
    config.digest = xxh3_64(as_bytes(text));
    config.state_dir = "/var/lib/walden/state";
    config.encoding.method = codec::CodecId::wal;
    config.encoding.worker_count = 2;
    require_plain_lines(text, path);
    try {
        Reader(config).read_table(toml::parse(text), "");
    } catch (const toml::parse_error& error) {
        throw Error(ErrorKind::usage,
                    format("{}:{}: {}", path, error.source().begin.line, error.description()));
    } catch (const std::logic_error& error) {
        throw Error(ErrorKind::usage, format("{}: configuration is {}", path, error.what()));
    }
    require_complete(config);
    complete_s3(config);
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
        throw Error(ErrorKind::usage, format("configuration: {}", error.message()));
    }
    if (!text)
        throw Error(ErrorKind::usage, format("there is no configuration \"{}\"", chosen))
            .with_hint("Name one with --config or WALDEN_CONFIG.");
    // The agent leaves the directory that a relative path begins at.
    if (chosen.front() != '/') {
        std::error_code unknown;
        const auto current = std::filesystem::current_path(unknown);
        if (!unknown) chosen = (current / chosen).string();
    }
    return parse_config(as_text(*text), chosen);
}

}  // namespace walden::cli
