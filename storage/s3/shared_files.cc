#include "storage/s3/shared_files.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"

#include <pwd.h>
#include <unistd.h>

#include <vector>

namespace walden::storage::s3 {

namespace {

constexpr std::size_t file_size_max = std::size_t{1} << 20;

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// Without a comment: "#" or ";" behind white space.
std::string_view without_comment(std::string_view value) {
    for (std::size_t i = 1; i < value.size(); ++i)
        if ((value[i] == '#' || value[i] == ';') && (value[i - 1] == ' ' || value[i - 1] == '\t'))
            return trimmed(value.substr(0, i));
    return value;
}

std::string home_directory(const SharedFiles::Environment& environment) {
    if (const auto home = environment("HOME")) return *home;
    std::vector<char> buffer(16'384);

    struct passwd entry {};
    struct passwd* found = nullptr;
    if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr)
        return "/";
    return entry.pw_dir;
}

}  // namespace

std::string SharedFiles::Profile::text(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::string() : std::string(found->second.reveal());
}

SecretText SharedFiles::Profile::secret(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? SecretText() : found->second;
}

SharedFiles SharedFiles::read(const Environment& environment) {
    SharedFiles files;
    const std::string directory = home_directory(environment) + "/.aws/";
    const auto credentials = environment("AWS_SHARED_CREDENTIALS_FILE");
    const auto config = environment("AWS_CONFIG_FILE");
    files.add_file(credentials.value_or(directory + "credentials"), Role::credentials,
                   credentials.has_value());
    files.add_file(config.value_or(directory + "config"), Role::config, config.has_value());
    return files;
}

void SharedFiles::add_file(const std::string& path, Role role, bool is_named) {
    paths_ += format("{}\"{}\"", paths_.empty() ? "" : ", ", path);
    std::optional<Bytes> bytes;
    try {
        bytes = read_file(path, file_size_max);
    } catch (const Error& error) {
        // Somebody else's home is not our concern; a file that was named is.
        if (!is_named) return;
        throw Error(ErrorKind::usage, format("shared AWS file: {}", error.message()));
    }
    if (!bytes) return;
    const ZeroOnExit zero(*bytes);
    add_text(as_text(*bytes), role);
}

void SharedFiles::add_text(std::string_view text, Role role) {
    Profile* profile = nullptr;
    while (!text.empty()) {
        const std::string_view whole = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), whole.size() + 1));
        const bool is_indented = !whole.empty() && (whole[0] == ' ' || whole[0] == '\t');
        const std::string_view line = trimmed(whole);
        if (line.empty() || line[0] == '#' || line[0] == ';') continue;
        if (line[0] == '[') {
            std::string_view name = trimmed(line.substr(1, line.find(']') - 1));
            // "profile x" in one file is "x" in the other; "default" is the same in both.
            const bool has_word = name.starts_with("profile ") || name.starts_with("profile\t");
            if (role == Role::config && has_word) name = trimmed(name.substr(8));
            const bool is_profile = role == Role::credentials || has_word || name == "default";
            profile = is_profile ? &profiles_[std::string(name)] : nullptr;
            continue;
        }
        const std::size_t equals = line.find('=');
        // What is indented belongs to a setting with parts of its own ("s3 ="), none of ours.
        if (profile == nullptr || equals == std::string_view::npos || is_indented) continue;
        profile->values_.try_emplace(std::string(trimmed(line.substr(0, equals))),
                                     without_comment(trimmed(line.substr(equals + 1))));
    }
}

const SharedFiles::Profile* SharedFiles::find(const std::string& name) const {
    const auto found = profiles_.find(name);
    return found == profiles_.end() ? nullptr : &found->second;
}

}  // namespace walden::storage::s3
