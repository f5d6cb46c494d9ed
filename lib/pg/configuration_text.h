// Lines of postgresql.conf and postgresql.auto.conf (src/backend/utils/misc/guc-file.l).
//
//   name = 'value'    # comment
//
// The '=' may be missing, names are of either case, a value without quotes has no blanks. In quotes
// '' and \' are a quote, \\ \b \f \n \r \t and \ooo are as in C. The last line of a name counts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace walden::pg {

struct Setting {
    std::string name;   ///< in lower case
    std::string value;  ///< without quotes and escapes

    friend bool operator==(const Setting&, const Setting&) = default;
};

/// nullopt for a line without a setting: empty, a comment, or not understood. include directives
/// are settings called "include" and the like.
[[nodiscard]] std::optional<Setting> parse_setting(std::string_view line);

/// The line that sets it, with the '\n': any value comes back as it is, line breaks included.
/// Throws Error(usage) for a value with a NUL, which no setting can have.
[[nodiscard]] std::string to_line(const Setting& setting);

/// The value that a whole file gives `name`; nullopt if it gives none. Does not follow includes.
[[nodiscard]] std::optional<std::string> find_setting(std::string_view text, std::string_view name);

/// Takes the first line off `text`, without its '\n'.
[[nodiscard]] std::string_view take_line(std::string_view& text);

}  // namespace walden::pg
