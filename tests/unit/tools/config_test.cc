#include "tools/config/config.h"

#include "base/file.h"
#include "base/format.h"
#include "support/errors.h"
#include "support/scratch_directory.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>

using namespace walden;
using namespace walden::test;
using namespace walden::cli;
using namespace std::chrono_literals;

namespace {

const std::string minimal =
    "cluster = \"main\"\n"
    "pgdata = \"/srv/pg\"\n"
    "store.url = \"file:///srv/store\"\n"
    "encryption.key_file = \"/etc/walden/key\"\n";

Config parse(const std::string& text) {
    return parse_config(text, "/etc/w.toml");
}

/// The message of a refusal; every one is Error(usage).
std::string refusal(const std::string& text) {
    const auto error = error_of([&] { static_cast<void>(parse(text)); });
    if (!error) return "accepted";
    CHECK(error->kind() == ErrorKind::usage);
    return error->message();
}

/// What line 5, behind the minimal settings, is refused with.
std::string refusal_of_line(const std::string& line) {
    return refusal(minimal + line + "\n");
}

/// As `read` sees the minimal configuration with one more line.
template <class Read>
auto with_line(const std::string& line, const Read& read) {
    return read(parse(minimal + line + "\n"));
}

}  // namespace

TEST_CASE("what is not given has its default", "[config]") {
    const Config config = parse(minimal);
    CHECK(config.path == "/etc/w.toml");
    CHECK(config.cluster == "main");
    CHECK(config.pgdata == "/srv/pg");
    CHECK(config.state_dir == "/var/lib/walden/state");
    CHECK(config.store.url == "file:///srv/store");
    CHECK_FALSE(config.repository_id.has_value());
    CHECK(config.encryption.is_enabled);
    CHECK(std::get<crypto::KeyFile>(*config.encryption.key_source).path == "/etc/walden/key");
    CHECK(config.encryption.key_file == "/etc/walden/key");
    CHECK(config.codec.method == codec::CodecId::wal);
    CHECK(config.codec.wal_back_end == codec::CodecId::zstd);
    CHECK(config.codec.level == 1);
    CHECK(config.archive.on_damaged_wal == archive::DamagedWalPolicy::archive);
    CHECK(config.archive.deadline == 60s);
    CHECK(config.fetch.standby_on_error == OnStandbyError::retry);
    CHECK(config.fetch.deadline == 60s);
    CHECK(config.fetch.history_deadline == 180s);
    CHECK(config.fetch.on_damaged_wal == recovery::DamagedWalPolicy::refuse);
}

TEST_CASE("every setting is read", "[config]") {
    const Config config = parse(R"(
cluster = "db_2-x"
pgdata = "/srv/pg///"
state_dir = "/var/state/"
[store]
url = "file:///x"
id = "00112233445566778899aabbccddeeff"
[encryption]
enabled = true
key_command = ["/bin/kms", "get", ""]
[codec]
method = "lz4"
wal_back_end = "lz4"
level = 19
[archive]
on_damaged_wal = "refuse"
deadline = "500ms"
[fetch]
standby_on_error = "stop"
on_damaged_wal = "deliver"
deadline = "24h"
history_deadline = "23h"
)");
    CHECK(config.cluster == "db_2-x");
    CHECK(config.pgdata == "/srv/pg");
    CHECK(config.state_dir == "/var/state");
    CHECK(to_hex(*config.repository_id) == "00112233445566778899aabbccddeeff");
    CHECK(std::get<crypto::KeyCommand>(*config.encryption.key_source).argv ==
          std::vector<std::string>{"/bin/kms", "get", ""});
    CHECK(config.encryption.key_file.empty());
    CHECK(config.codec.method == codec::CodecId::lz4);
    CHECK(config.codec.wal_back_end == codec::CodecId::lz4);
    CHECK(config.codec.level == 19);
    CHECK(config.archive.on_damaged_wal == archive::DamagedWalPolicy::refuse);
    CHECK(config.archive.deadline == 500ms);
    CHECK(config.fetch.standby_on_error == OnStandbyError::stop);
    CHECK(config.fetch.on_damaged_wal == recovery::DamagedWalPolicy::deliver);
    CHECK(config.fetch.deadline == 24h);
    CHECK(config.fetch.history_deadline == 23h);
}

TEST_CASE("the key comes from a file, a variable, a command or a passphrase, or there is none",
          "[config]") {
    const std::string rest = minimal.substr(0, minimal.find("encryption"));
    CHECK(std::get<crypto::KeyEnvironment>(
              *parse(rest + "encryption.key_env = \"WALDEN_KEY\"\n").encryption.key_source)
              .variable == "WALDEN_KEY");
    CHECK(std::get<crypto::PassphraseFile>(
              *parse(rest + "encryption.passphrase_file = \"/p\"\n").encryption.key_source)
              .path == "/p");
    CHECK_FALSE(parse(rest + "encryption.enabled = false\n").encryption.is_enabled);
    CHECK(refusal(rest) == "/etc/w.toml: [encryption] names no key");
}

TEST_CASE("two key sources are refused at the second (fault 94)", "[config]") {
    for (const char* line : {"encryption.key_env = \"X\"", "encryption.key_command = [\"x\"]",
                             "encryption.passphrase_file = \"/x\""}) {
        const std::string message = refusal_of_line(line);
        CHECK(mentions(message, "must be only one of"));
        CHECK(message.starts_with("/etc/w.toml:"));
    }
}

TEST_CASE("what must be given is asked for by name", "[config]") {
    const std::vector<std::pair<std::string, std::string>> required = {
        {"cluster = \"main\"\n", "cluster is missing"},
        {"pgdata = \"/srv/pg\"\n", "pgdata is missing"},
        {"store.url = \"file:///srv/store\"\n", "store.url is missing"},
        {"encryption.key_file = \"/etc/walden/key\"\n", "[encryption] names no key"}};
    for (const auto& [line, message] : required) {
        std::string text = minimal;
        text.erase(text.find(line), line.size());
        CHECK(refusal(text) == "/etc/w.toml: " + message);
    }
    CHECK(refusal("") == "/etc/w.toml: cluster is missing");
}

TEST_CASE("an unknown setting is refused with its line (fault 94)", "[config]") {
    CHECK(refusal_of_line("clutser = \"x\"") == "/etc/w.toml:5: unknown setting \"clutser\"");
    CHECK(refusal_of_line("codec.levle = 3") == "/etc/w.toml:5: unknown setting \"codec.levle\"");
    CHECK(refusal_of_line("[encrytion]") == "/etc/w.toml:5: unknown setting \"encrytion\"");
    CHECK(refusal_of_line("[encrytion]\nenabled = false") ==
          "/etc/w.toml:5: unknown setting \"encrytion\"");
    CHECK(refusal_of_line("[codec.deep]\nlevel = 1") ==
          "/etc/w.toml:5: unknown setting \"codec.deep\"");
    CHECK(refusal_of_line("codec = 3") == "/etc/w.toml:5: codec must be a section, [codec]");
    // In quotes a dot is a part of the name.
    CHECK(refusal_of_line("\"codec.level\" = 3") ==
          "/etc/w.toml:5: unknown setting \"codec.level\"");
}

TEST_CASE("a setting that is there twice is refused with its line (fault 94)", "[config]") {
    CHECK(refusal_of_line("cluster = \"main\"").starts_with("/etc/w.toml:5: "));
    CHECK(refusal_of_line("store.url = \"file:///y\"").starts_with("/etc/w.toml:5: "));
    CHECK(refusal_of_line("[codec]\nlevel = 1\n[codec]\nlevel = 2").starts_with("/etc/w.toml:7: "));
}

TEST_CASE("durations have a number and a unit (fault 94)", "[config]") {
    const auto deadline = [](const Config& config) { return config.archive.deadline; };
    CHECK(with_line("archive.deadline = \"1ms\"", deadline) == 1ms);
    CHECK(with_line("archive.deadline = \"90s\"", deadline) == 90s);
    CHECK(with_line("archive.deadline = \"5min\"", deadline) == 5min);
    CHECK(with_line("archive.deadline = \"86400s\"", deadline) == 24h);
    for (const char* value : {"\"60\"",
                              "60",
                              "\"\"",
                              "\"s\"",
                              "\"0s\"",
                              "\"-5s\"",
                              "\"+5s\"",
                              "\" 5s\"",
                              "\"5 s\"",
                              "\"5S\"",
                              "\"5m\"",
                              "\"5d\"",
                              "\"1.5s\"",
                              "\"25h\"",
                              "\"86401s\"",
                              "\"4294967295h\"",
                              "\"99999999999999999999s\"",
                              "\"0x5s\"",
                              "\"5s \"",
                              "true",
                              "[\"5s\"]"}) {
        INFO(value);
        CHECK(refusal_of_line(format("archive.deadline = {}", value)) ==
              "/etc/w.toml:5: archive.deadline must be a duration such as \"500ms\", \"30s\" or "
              "\"5min\", at most a day");
    }
}

TEST_CASE("a value of another type or range is refused with what it must be (fault 94)",
          "[config]") {
    const auto refused = [](const std::string& line, const std::string& wanted) {
        INFO(line);
        const std::string name = line.substr(0, line.find(' '));
        CHECK(refusal_of_line(line) == format("/etc/w.toml:5: {} must be {}", name, wanted));
    };
    refused("state_dir = 3", "a text that is not empty");
    refused("state_dir = \"relative\"", "an absolute path");
    refused("state_dir = \"~/x\"", "an absolute path");
    refused("state_dir = \"/x\\u0000y\"", "a text without zero bytes");
    refused("encryption.enabled = \"true\"", "true or false");
    refused("encryption.enabled = 1", "true or false");
    refused("codec.level = 0", "a number from 1 to 19");
    refused("codec.level = 20", "a number from 1 to 19");
    refused("codec.level = 1.0", "a number from 1 to 19");
    refused("codec.level = \"1\"", "a number from 1 to 19");
    refused("codec.level = 9223372036854775807", "a number from 1 to 19");
    refused("codec.method = \"gzip\"", "\"wal\" or \"zstd\" or \"lz4\" or \"none\"");
    refused("codec.wal_back_end = \"wal\"", "\"zstd\" or \"lz4\"");
    refused("codec.method = \"Zstd\"", "\"wal\" or \"zstd\" or \"lz4\" or \"none\"");
    refused("archive.on_damaged_wal = \"ignore\"", "\"archive\" or \"refuse\"");
    refused("fetch.on_damaged_wal = \"archive\"", "\"refuse\" or \"deliver\"");
    refused("fetch.standby_on_error = true", "\"retry\" or \"stop\" or \"ignore\"");
    refused("store.id = \"0011\"", "32 hex digits");
    refused("store.id = \"0011223344556677889900aabbccddeg\"", "32 hex digits");
    for (const char* name : {"../x", "a/b", "", "a b"}) {
        std::string text = minimal;
        text.replace(text.find("main"), 4, name);
        CHECK(refusal(text).starts_with("/etc/w.toml:1: cluster must be "));
    }
    const std::string rest = minimal.substr(0, minimal.find("encryption"));
    for (const char* value : {"\"kms\"", "[1]", "[\"\"]", "[[\"x\"]]", "[\"x\\u0000\"]"})
        CHECK(refusal(rest + format("encryption.key_command = {}\n", value)) ==
              "/etc/w.toml:4: encryption.key_command must be a list of texts: the program and its "
              "arguments");
}

TEST_CASE("each default that the help shows may be written out", "[config]") {
    for (const SettingHelp& help : setting_help()) {
        INFO(help.name);
        CHECK_FALSE(help.meaning.empty());
        CHECK_FALSE(help.default_value.empty());
        if (help.default_value == "required" || help.default_value == "unset") continue;
        CHECK(refusal(minimal + format("{} = {}\n", help.name, help.default_value)) == "accepted");
    }
    CHECK(setting_help().size() == 52);
}

TEST_CASE("an S3 store is configured by its URL and the settings of [store]", "[config]") {
    std::string text = minimal;
    text.replace(text.find("file:///srv/store"), 17, "s3://my-bucket/some/prefix");
    using namespace storage::s3;
    const S3Settings plain = parse(text).store.s3;
    CHECK(plain.bucket == "my-bucket");
    CHECK(plain.prefix == "some/prefix");
    CHECK(plain.endpoint.empty());
    CHECK_FALSE(plain.addressing.has_value());
    CHECK(plain.fencing == Fencing::required);
    CHECK(plain.checksum == Checksum::crc32c);
    CHECK(plain.multipart_threshold == std::size_t{16} << 20);

    const S3Settings all = parse(text +
                                 "store.endpoint = \"https://s3.example.net:8443/\"\n"
                                 "store.region = \"eu-west-1\"\n"
                                 "store.path_style = false\n"
                                 "store.profile = \"backup\"\n"
                                 "store.ca_file = \"/etc/ca.pem\"\n"
                                 "store.storage_class = \"STANDARD_IA\"\n"
                                 "store.sse = \"aws:kms\"\n"
                                 "store.sse_kms_key_id = \"arn:aws:kms:eu-west-1:1:key/x\"\n"
                                 "store.object_lock_mode = \"compliance\"\n"
                                 "store.object_lock_days = 37\n"
                                 "store.multipart_threshold = \"64MiB\"\n"
                                 "store.part_size = \"6144KiB\"\n"
                                 "store.concurrency = 8\n"
                                 "store.checksum = \"crc64nvme\"\n"
                                 "store.payload_hash = \"http\"\n"
                                 "store.connect_timeout = \"500ms\"\n"
                                 "store.fencing = \"none\"\n")
                               .store.s3;
    CHECK(all.endpoint == "https://s3.example.net:8443");
    CHECK(all.addressing == Addressing::virtual_host);
    CHECK(all.sse_kms_key_id == "arn:aws:kms:eu-west-1:1:key/x");
    CHECK(all.object_lock_mode == ObjectLockMode::compliance);
    CHECK(all.object_lock_days == 37);
    CHECK(all.part_size == 6144U << 10);
    CHECK(all.connect_timeout == 500ms);
    CHECK(all.fencing == Fencing::none);
    CHECK(all.payload_hash == PayloadHash::http);
}

TEST_CASE("settings of an S3 store that cannot be are refused", "[config]") {
    CHECK(refusal_of_line("store.endpoint = \"s3.example.net\"") ==
          "/etc/w.toml:5: store.endpoint must be the address of a server: https://host or "
          "https://host:port");
    CHECK(refusal_of_line("store.endpoint = \"https://h/bucket\"").find("must be") !=
          std::string::npos);
    CHECK(refusal_of_line("store.part_size = \"4MiB\"") ==
          "/etc/w.toml:5: store.part_size must be a size such as \"64MiB\", from 5MiB to 64MiB");
    CHECK(refusal_of_line("store.part_size = 8388608").find("must be") != std::string::npos);
    CHECK(refusal_of_line("store.region = \"a b\"").find("must be") != std::string::npos);
    CHECK(refusal_of_line("store.storage_class = \"A\\r\\nX: y\"").find("must be") !=
          std::string::npos);
    CHECK(refusal_of_line("store.sse_kms_key_id = \"k\"") ==
          "/etc/w.toml: store.sse_kms_key_id needs store.sse = \"aws:kms\"");
    CHECK(refusal_of_line("store.object_lock_days = 3") ==
          "/etc/w.toml: store.object_lock_mode and store.object_lock_days need each other");
    for (const char* url : {"s3://", "s3:///x", "s3://a", "s3://bucket/a//b", "s3://bucket/../x",
                            "s3://bucket/a b", "s3://buc ket", "s3://b..b/x"}) {
        INFO(url);
        std::string text = minimal;
        text.replace(text.find("file:///srv/store"), 17, url);
        CHECK(refusal(text).starts_with(format("/etc/w.toml: store URL \"{}\" ", url)));
    }
}

TEST_CASE("CRLF and a byte order mark are accepted (fault 94)", "[config]") {
    std::string dos = "\xEF\xBB\xBF";
    for (const char c : minimal) dos += c == '\n' ? std::string("\r\n") : std::string(1, c);
    CHECK(parse(dos).cluster == "main");
    CHECK(parse(dos).encryption.key_file == "/etc/walden/key");
    CHECK(refusal(dos + "oops = 1\r\n") == "/etc/w.toml:5: unknown setting \"oops\"");
}

TEST_CASE("bytes that are no text are refused with their line (fault 94)", "[config]") {
    CHECK(refusal_of_line(std::string("x\0y", 3)) ==
          "/etc/w.toml:5: configuration contains a zero byte");
    CHECK(refusal(std::string(1, '\0')) == "/etc/w.toml:1: configuration contains a zero byte");
    CHECK(refusal_of_line("state_dir = \"/\xFF\xFE\"").starts_with("/etc/w.toml:5: "));
    CHECK(refusal_of_line("state_dir = \"/x").starts_with("/etc/w.toml:5: "));
    // These two broke an assertion of the TOML parser, and so the process.
    CHECK(refusal_of_line("[^store]") == "/etc/w.toml:5: a section must have a name");
    CHECK(refusal_of_line("  [[ \xC3\xA4 ]]") ==
          "/etc/w.toml:5: only texts and comments may hold other characters than ASCII");
    CHECK(refusal_of_line("\xC3\xA4 = 1") ==
          "/etc/w.toml:5: only texts and comments may hold other characters than ASCII");
    CHECK(refusal_of_line("state_dir = \"/\xC3\xA4\\\"#'\"  # \xC3\xA4 \"\"\"") == "accepted");
    CHECK(refusal_of_line("state_dir = '/\\' # \xC3\xA4") == "accepted");
    CHECK(refusal_of_line("state_dir = \"\"\"/x\"\"\"") ==
          "/etc/w.toml:5: a text must end on its line");
    CHECK(refusal_of_line("[]").starts_with("/etc/w.toml:5: "));
    CHECK(refusal_of_line("[").starts_with("/etc/w.toml:"));
    CHECK(refusal_of_line("= 3").starts_with("/etc/w.toml:5: "));
    CHECK(refusal_of_line("state_dir = \"/\x1b[2J\"").starts_with("/etc/w.toml:5: "));
}

TEST_CASE("a long line and deep nesting are refused, not suffered (fault 94)", "[config]") {
    const std::string long_line = "state_dir = \"/" + std::string(1 << 20, 'x') + "\"";
    CHECK(refusal_of_line(long_line) == "/etc/w.toml:5: line is longer than 4096 bytes");
    std::string dots = "a";
    for (int i = 0; i < 100'000; ++i) dots += ".a";
    CHECK(refusal_of_line(dots + " = 1") == "/etc/w.toml:5: line is longer than 4096 bytes");
    dots.resize(4091);
    CHECK(refusal_of_line(dots + " = 1") == "/etc/w.toml:5: unknown setting \"a\"");
    CHECK(refusal_of_line("[" + dots + "]\n" + dots + " = 1") ==
          "/etc/w.toml:5: unknown setting \"a\"");
    CHECK(refusal_of_line("codec.level = " + std::string(4000, '[')).starts_with("/etc/w.toml:5:"));
    std::string inline_tables = "codec = ";
    for (int i = 0; i < 800; ++i) inline_tables += "{a=";
    CHECK(refusal_of_line(inline_tables).starts_with("/etc/w.toml:5: "));
}

TEST_CASE("the file is found by option or variable, and what is wrong with it is said (fault 53)",
          "[config]") {
    const testing::ScratchDirectory scratch;
    const std::string path = scratch.path() + "/walden.toml";
    CHECK(message_of([&] { static_cast<void>(read_config(path)); }) ==
          format("there is no configuration \"{}\"", path));
    write_file_durably(path, as_bytes(minimal), 0644);
    CHECK(read_config(path).path == path);
    REQUIRE(::setenv("WALDEN_CONFIG", path.c_str(), 1) == 0);
    CHECK(read_config("").path == path);
    ::unsetenv("WALDEN_CONFIG");
    CHECK(kind_of([&] { static_cast<void>(read_config(scratch.path())); }) == ErrorKind::usage);
    write_file_durably(path, Bytes((256 << 10) + 1, std::byte{'\n'}), 0644);
    CHECK(kind_of([&] { static_cast<void>(read_config(path)); }) == ErrorKind::usage);
}

TEST_CASE("the agent's settings have defaults, units and bounds", "[config]") {
    const Config config = parse(minimal);
    CHECK(config.agent.is_enabled);
    CHECK(config.agent.idle_timeout == 10min);
    CHECK(config.agent.socket.empty());
    CHECK(config.agent.in_flight == 8);
    CHECK(config.agent.memory == std::size_t{160} << 20);
    CHECK_FALSE(
        with_line("agent.enabled = false", [](const Config& c) { return c.agent.is_enabled; }));
    const auto memory = [](const Config& c) { return c.agent.memory; };
    CHECK(with_line("agent.memory = \"16MiB\"", memory) == std::size_t{16} << 20);
    CHECK(with_line("agent.memory = \"2GiB\"", memory) == std::size_t{2} << 30);
    for (const char* value : {"\"15MiB\"", "\"65GiB\"", "\"16\"", "\"16MB\"", "16", "\"MiB\"",
                              "\"99999999999GiB\"", "\"-1GiB\""})
        CHECK_FALSE(refusal_of_line(format("agent.memory = {}", value)).empty());
    CHECK(with_line("agent.in_flight = 64", [](const Config& c) { return c.agent.in_flight; }) ==
          64);
    for (const char* value : {"0", "65", "\"8\""})
        CHECK_FALSE(refusal_of_line(format("agent.in_flight = {}", value)).empty());
    CHECK_FALSE(refusal_of_line("agent.socket = \"relative\"").empty());
}

TEST_CASE("how much is prefetched is a size, and may be nothing", "[config]") {
    const Config config = parse(minimal);
    CHECK(config.fetch.prefetch_size == std::size_t{256} << 20);
    CHECK(config.fetch.in_flight == 8);
    const auto size = [](const Config& c) { return c.fetch.prefetch_size; };
    CHECK(with_line("fetch.prefetch_size = \"0MiB\"", size) == 0);
    CHECK(with_line("fetch.prefetch_size = \"2GiB\"", size) == std::size_t{2} << 30);
    for (const char* value : {"0", "\"65GiB\"", "\"-1MiB\"", "\"8\""})
        CHECK_FALSE(refusal_of_line(format("fetch.prefetch_size = {}", value)).empty());
    for (const char* value : {"0", "65", "\"8\""})
        CHECK_FALSE(refusal_of_line(format("fetch.in_flight = {}", value)).empty());
}

TEST_CASE("another byte in the file is another configuration to the agent", "[config]") {
    const Config config = parse(minimal);
    CHECK(parse(minimal).digest == config.digest);
    CHECK(parse(std::string(minimal) + "\n").digest != config.digest);
}

TEST_CASE("a text without quotes is explained", "[config]") {
    const auto hint = [](const std::string& line) {
        const auto error = error_of([&] { static_cast<void>(parse(minimal + line + "\n")); });
        return error ? error->hint() : std::string("accepted");
    };
    CHECK(hint("state_dir = /var/lib/x  # here") ==
          "Texts need quotes: state_dir = \"/var/lib/x\"");
    CHECK(hint("store.region = file") == "Texts need quotes: store.region = \"file\"");
    CHECK(hint("store.region = \"file") == "");
}
