// Property: whatever the text, parse_config ends in a configuration that keeps its promises or in
// Error(usage) that names the file.
#include "tools/config/config.h"

#include "base/error.h"
#include "property.h"
#include "vault/layout.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace walden;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        const cli::Config config = cli::parse_config(text, "f.toml");
        require_property(vault::is_cluster_name(config.cluster), "the cluster has a name");
        require_property(config.pgdata.starts_with('/'), "pgdata is absolute");
        require_property(config.state_dir.starts_with('/'), "state_dir is absolute");
        require_property(!config.encryption.is_enabled || config.encryption.key_source.has_value(),
                         "there is a key where one is needed");
        require_property(config.codec.level >= 1 && config.codec.level <= 19,
                         "the level is in its range");
        require_property(config.archive.deadline.count() > 0, "there is time to archive");
    } catch (const Error& error) {
        require_property(error.kind() == ErrorKind::usage, "a configuration fails as usage");
        require_property(error.message().starts_with("f.toml:"), "the message names the file");
    }
    return 0;
}
