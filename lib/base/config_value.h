// A value of a configuration, whatever its file looks like, and the readers that check one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace walden {

struct ConfigMember;
class ConfigValue;

/// A section, in the order of the file.
using ConfigTable = std::vector<ConfigMember>;
using ConfigList = std::vector<ConfigValue>;

/// One value as the file has it. Plain data.
class ConfigValue {
public:
    /// monostate: of a type that no setting has (a fraction, a date), or nested too deeply.
    using Data =
        std::variant<std::monostate, bool, std::int64_t, std::string, ConfigList, ConfigTable>;

    ConfigValue() = default;

    explicit ConfigValue(Data data) : data_(std::move(data)) {}

    /// nullptr if it is of another type.
    template <class T>
    [[nodiscard]] const T* as() const {
        return std::get_if<T>(&data_);
    }

    /// "" or [], with which a setting may be left out in so many words.
    [[nodiscard]] bool is_empty() const;

private:
    Data data_;
};

struct ConfigMember {
    std::string name;
    std::size_t line = 0;  ///< of the name, from 1; 0 if it is not known
    ConfigValue value;
};

/// A value that is not what its setting wants: "a number from 1 to 19". Whoever knows the setting's
/// name and its line says so (base/setting.h).
struct BadValue {
    std::string wanted;
};

/// Something in a file that cannot be. Whoever knows the file's name makes an Error of it.
struct ConfigFault {
    std::size_t line = 0;   ///< 0: of no line, such as a setting that is missing
    std::string name;       ///< "store.url"
    std::string complaint;  ///< "must be an absolute path"; empty: there is no such setting
};

// Each throws BadValue for anything but what its name says.

/// A text that is not empty and has no zero byte.
[[nodiscard]] std::string text_of(const ConfigValue& value);

/// Without slashes at its end.
[[nodiscard]] std::string absolute_path_of(const ConfigValue& value);

[[nodiscard]] bool flag_of(const ConfigValue& value);

[[nodiscard]] std::int64_t number_of(const ConfigValue& value, std::int64_t min, std::int64_t max);

/// "500ms", "30s", "5min", "1h": more than nothing, at most a day.
[[nodiscard]] std::chrono::milliseconds duration_of(const ConfigValue& value);

/// "512KiB", "8MiB", "1GiB", in bytes.
[[nodiscard]] std::size_t size_of(const ConfigValue& value, std::size_t min, std::size_t max);

/// A program and its arguments, none with a zero byte.
[[nodiscard]] std::vector<std::string> command_of(const ConfigValue& value);

// The other way, as the readers read it.

/// "90s", "10min": in the largest unit that holds it exactly.
[[nodiscard]] std::string duration_text(std::chrono::milliseconds duration);

/// "160MiB", "0MiB".
[[nodiscard]] std::string size_setting_text(std::size_t bytes);

}  // namespace walden
