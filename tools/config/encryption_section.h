// [encryption] of the configuration.
#pragma once

#include "base/setting.h"
#include "crypto/key_source.h"

#include <optional>
#include <string>
#include <vector>

namespace walden::cli {

struct EncryptionSection {
    bool is_enabled = true;
    std::optional<crypto::KeySource> key_source;  ///< none only if not enabled
    std::string key_file;                         ///< empty if the key comes from elsewhere
};

[[nodiscard]] std::vector<Setting<EncryptionSection>> encryption_setting_table();

/// Throws Error(usage) if it is enabled and no key is named.
void require_complete(const EncryptionSection& section);

}  // namespace walden::cli
