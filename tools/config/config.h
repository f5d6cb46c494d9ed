// The configuration: one TOML file, --config, else $WALDEN_CONFIG, else /etc/walden/walden.toml.
//
// Each section has a file of its own with its settings. A new one is a header like fetch_section.h,
// its table, a member here and a line in config.cc.
#pragma once

#include "base/setting.h"
#include "crypto/key_bundle.h"
#include "storage/store_settings.h"
#include "tools/config/agent_section.h"
#include "tools/config/archive_section.h"
#include "tools/config/backup_section.h"
#include "tools/config/codec_section.h"
#include "tools/config/encryption_section.h"
#include "tools/config/fetch_section.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::cli {

inline constexpr std::string_view default_config_path = "/etc/walden/walden.toml";

struct Config {
    std::string path;          ///< the file it came from, absolute if read from a file
    std::uint64_t digest = 0;  ///< XXH3-64 of the file's bytes: which configuration this is

    std::string cluster;
    std::string pgdata;
    std::string state_dir = "/var/lib/walden/state";

    storage::StoreSettings store;
    std::optional<crypto::RepositoryId> repository_id;  ///< "store.id"; none: whichever is there
    EncryptionSection encryption;
    CodecSection codec;
    ArchiveSection archive;
    AgentSection agent;
    FetchSection fetch;
    BackupSection backup;
};

/// All settings, in the order in which the help shows them.
[[nodiscard]] std::vector<SettingHelp> setting_help();

/// Reads and checks the file at `path`, or at the default place if empty. Throws Error(usage) with
/// the file, the line and what to write instead.
[[nodiscard]] Config read_config(const std::string& path);

/// As above, from the text itself: what the tests and the fuzzer call.
[[nodiscard]] Config parse_config(std::string_view text, const std::string& path);

}  // namespace walden::cli
