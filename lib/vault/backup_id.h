// The name of a base backup: "20261129-074500-3f9c", UTC and four random hex digits. It is for
// people; nothing relies on its order.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace walden::vault {

class BackupId {
public:
    static constexpr std::size_t size = 20;

    /// Of no backup; not valid as a name.
    BackupId() = default;

    [[nodiscard]] std::string_view text() const { return {text_.data(), size}; }

    [[nodiscard]] bool is_valid() const { return text_[0] != '\0'; }

    friend auto operator<=>(const BackupId&, const BackupId&) = default;

private:
    friend std::optional<BackupId> parse_backup_id(std::string_view text);

    std::array<char, size> text_{};
};

/// nullopt for anything but eight digits, six digits and four lower-case hex digits.
[[nodiscard]] std::optional<BackupId> parse_backup_id(std::string_view text);

/// A new id for a backup that begins at `time`, Unix seconds.
[[nodiscard]] BackupId make_backup_id(std::int64_t time);

[[nodiscard]] inline std::string to_string(const BackupId& id) {
    return std::string(id.text());
}

}  // namespace walden::vault
