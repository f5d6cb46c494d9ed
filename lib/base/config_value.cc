#include "base/config_value.h"

#include "base/format.h"

#include <charconv>
#include <string_view>

namespace walden {

namespace {

/// "30s" as 30 and "s".
struct Quantity {
    bool is_number = false;  ///< whether one is in front
    std::uint32_t count = 0;
    std::string_view unit;
};

Quantity split_quantity(const std::string& text) {
    Quantity quantity;
    const char* const text_end = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), text_end, quantity.count);
    quantity.is_number = error == std::errc();
    quantity.unit = std::string_view(end, static_cast<std::size_t>(text_end - end));
    return quantity;
}

bool has_zero_byte(const std::string& text) {
    return text.find('\0') != std::string::npos;
}

}  // namespace

bool ConfigValue::is_empty() const {
    const auto* text = as<std::string>();
    const auto* list = as<ConfigList>();
    return (text != nullptr && text->empty()) || (list != nullptr && list->empty());
}

std::string text_of(const ConfigValue& value) {
    const auto* text = value.as<std::string>();
    if (text == nullptr || text->empty()) throw BadValue{"a text that is not empty"};
    if (has_zero_byte(*text)) throw BadValue{"a text without zero bytes"};
    return *text;
}

std::string absolute_path_of(const ConfigValue& value) {
    std::string path = text_of(value);
    if (path.front() != '/') throw BadValue{"an absolute path"};
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

bool flag_of(const ConfigValue& value) {
    const auto* flag = value.as<bool>();
    if (flag == nullptr) throw BadValue{"true or false"};
    return *flag;
}

std::int64_t number_of(const ConfigValue& value, std::int64_t min, std::int64_t max) {
    const auto* number = value.as<std::int64_t>();
    if (number == nullptr || *number < min || *number > max)
        throw BadValue{format("a number from {} to {}", min, max)};
    return *number;
}

std::chrono::milliseconds duration_of(const ConfigValue& value) {
    const BadValue bad{"a duration such as \"500ms\", \"30s\" or \"5min\", at most a day"};
    const auto* text = value.as<std::string>();
    if (text == nullptr) throw bad;
    const Quantity quantity = split_quantity(*text);
    std::uint64_t scale = 0;
    if (quantity.unit == "ms") scale = 1;
    if (quantity.unit == "s") scale = 1000;
    if (quantity.unit == "min") scale = 60'000;
    if (quantity.unit == "h") scale = 3'600'000;
    const std::uint64_t total = quantity.count * scale;
    if (!quantity.is_number || total == 0 || total > 86'400'000) throw bad;
    return std::chrono::milliseconds(total);
}

std::size_t size_of(const ConfigValue& value, std::size_t min, std::size_t max) {
    const BadValue bad{
        format("a size such as \"64MiB\", from {}MiB to {}MiB", min >> 20, max >> 20)};
    const auto* text = value.as<std::string>();
    if (text == nullptr) throw bad;
    const Quantity quantity = split_quantity(*text);
    unsigned shift = 0;
    if (quantity.unit == "KiB") shift = 10;
    if (quantity.unit == "MiB") shift = 20;
    if (quantity.unit == "GiB") shift = 30;
    const std::size_t total = static_cast<std::size_t>(quantity.count) << shift;
    if (!quantity.is_number || shift == 0 || total < min || total > max) throw bad;
    return total;
}

std::vector<std::string> command_of(const ConfigValue& value) {
    const BadValue bad{"a list of texts: the program and its arguments"};
    const auto* list = value.as<ConfigList>();
    if (list == nullptr || list->empty()) throw bad;
    std::vector<std::string> argv;
    for (const ConfigValue& element : *list) {
        const auto* word = element.as<std::string>();
        if (word == nullptr || has_zero_byte(*word)) throw bad;
        argv.push_back(*word);
    }
    if (argv.front().empty()) throw bad;
    return argv;
}

std::string duration_text(std::chrono::milliseconds duration) {
    const auto count = duration.count();
    if (count % 3'600'000 == 0) return format("{}h", count / 3'600'000);
    if (count % 60'000 == 0) return format("{}min", count / 60'000);
    if (count % 1000 == 0) return format("{}s", count / 1000);
    return format("{}ms", count);
}

std::string size_setting_text(std::size_t bytes) {
    if (bytes != 0 && bytes % (std::size_t{1} << 30) == 0) return format("{}GiB", bytes >> 30);
    if (bytes % (std::size_t{1} << 20) == 0) return format("{}MiB", bytes >> 20);
    return format("{}KiB", bytes >> 10);
}

}  // namespace walden
