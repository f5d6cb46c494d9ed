// The files that AWS's tools share: ~/.aws/credentials and ~/.aws/config.
//
// Source: "Shared config and credentials files" in the AWS SDKs and Tools Reference Guide.
#pragma once

#include "base/secret.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace walden::storage::s3 {

class SharedFiles {
public:
    using Environment = std::function<std::optional<std::string>(const std::string& name)>;

    /// The settings of one profile, those of the credentials file before those of the other.
    class Profile {
    public:
        [[nodiscard]] bool has(const std::string& name) const { return values_.contains(name); }

        /// Empty if not set.
        [[nodiscard]] std::string text(const std::string& name) const;
        [[nodiscard]] SecretText secret(const std::string& name) const;

    private:
        friend class SharedFiles;
        std::map<std::string, SecretText> values_;  ///< any of them may be a secret
    };

    /// Reads both; a file that does not exist, and is not named by a variable, has no profiles.
    /// Throws Error(usage) for a file that cannot be read.
    static SharedFiles read(const Environment& environment);

    /// nullptr if neither file has it.
    [[nodiscard]] const Profile* find(const std::string& name) const;

    /// The paths, for messages.
    [[nodiscard]] const std::string& describe() const { return paths_; }

private:
    enum class Role { credentials, config };

    void add_file(const std::string& path, Role role, bool is_named);
    void add_text(std::string_view text, Role role);

    std::map<std::string, Profile> profiles_;
    std::string paths_;
};

}  // namespace walden::storage::s3
