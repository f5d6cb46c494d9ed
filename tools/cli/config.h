// The configuration: one TOML file, --config, else $WALDEN_CONFIG, else /etc/walden/walden.toml.
#pragma once

#include "archive/archiver.h"
#include "codec/codec.h"
#include "crypto/key_bundle.h"
#include "crypto/key_source.h"
#include "recovery/fetcher.h"
#include "storage/s3/s3_settings.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::cli {

inline constexpr std::string_view default_config_path = "/etc/walden/walden.toml";

enum class OnStandbyError : std::uint8_t {
    retry,   ///< "not there", as PostgreSQL asks again, unless the standby is being promoted
    stop,    ///< refused, which shuts the standby down
    ignore,  ///< "not there", whatever a promotion loses by it
};

struct Config {
    std::string path;          ///< the file it came from, absolute if read from a file
    std::uint64_t digest = 0;  ///< XXH3-64 of the file's bytes: which configuration this is

    std::string cluster;
    std::string pgdata;
    std::string state_dir;

    std::string store_url;
    std::optional<crypto::RepositoryId> store_id;
    storage::s3::S3Settings s3;  ///< bucket and prefix are those of an s3:// URL

    bool encryption_enabled = true;
    std::optional<crypto::KeySource> key_source;  ///< none only if not enabled
    std::string key_file;                         ///< empty if the key comes from elsewhere

    codec::EncodeOptions encoding;
    archive::DamagedWalPolicy archive_damaged_wal = archive::DamagedWalPolicy::archive;
    std::chrono::milliseconds archive_deadline{60'000};

    bool agent_enabled = true;
    std::chrono::milliseconds agent_idle_timeout{600'000};
    std::string agent_socket;  ///< empty: in state_dir
    std::size_t agent_in_flight = 8;
    std::size_t agent_memory = std::size_t{160} << 20;  ///< bytes

    OnStandbyError on_standby_error = OnStandbyError::retry;
    std::chrono::milliseconds fetch_deadline{60'000};
    std::chrono::milliseconds fetch_history_deadline{180'000};
    std::chrono::milliseconds fetch_hole_patience{5'000};
    std::size_t fetch_prefetch_size = std::size_t{256} << 20;  ///< bytes; 0: nothing is prefetched
    std::size_t fetch_in_flight = 8;
    recovery::DamagedWalPolicy fetch_damaged_wal = recovery::DamagedWalPolicy::refuse;
};

/// Name, default and meaning of one setting, for --help, the man page and the parser alike.
struct SettingHelp {
    std::string_view name;           ///< "store.url"
    std::string_view default_value;  ///< as written in TOML, "required" or "unset"
    std::string_view meaning;
};

[[nodiscard]] const std::vector<SettingHelp>& setting_help();

/// Reads and checks the file at `path`, or at the default place if empty. Throws Error(usage) with
/// the file, the line and what to write instead.
[[nodiscard]] Config read_config(const std::string& path);

/// As above, from the text itself: what the tests and the fuzzer call.
[[nodiscard]] Config parse_config(std::string_view text, const std::string& path);

}  // namespace walden::cli
