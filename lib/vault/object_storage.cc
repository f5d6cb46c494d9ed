#include "vault/object_storage.h"

#include "base/error.h"
#include "base/format.h"

#include <algorithm>

namespace walden::vault {

namespace {

bool is_key_character(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '/';
}

/// A key as it may stand in a message: a hostile one must not drive somebody's terminal.
std::string printable(std::string_view key) {
    constexpr std::size_t shown_max = 80;
    std::string text(key.substr(0, shown_max));
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return key.size() > shown_max ? text + "..." : text;
}

}  // namespace

bool is_valid_key(std::string_view key) {
    if (key.empty() || key.size() > ObjectStorage::key_size_max) return false;
    char previous = '/';
    for (const char c : key) {
        // After a slash (or at the start) a dot would be a hidden name, "." or "..", a slash an
        // empty component.
        if (!is_key_character(c) || (previous == '/' && (c == '/' || c == '.'))) return false;
        previous = c;
    }
    return previous != '/';
}

void require_valid_key(std::string_view key) {
    if (is_valid_key(key)) return;
    throw Error(ErrorKind::usage, format("invalid object key \"{}\"", printable(key)))
        .with_detail(format("Keys are 1 to {} bytes of A-Z, a-z, 0-9, \"/\", \"_\", \".\" and "
                            "\"-\", without empty components or components that start with a dot.",
                            ObjectStorage::key_size_max));
}

void require_valid_prefix(std::string_view prefix) {
    if (prefix.empty()) return;
    // Some valid key continues a prefix exactly if one more letter makes it a valid key, or if it
    // is as long as a key can be and valid by itself.
    if (is_valid_key(std::string(prefix) + "x") || is_valid_key(prefix)) return;
    throw Error(ErrorKind::usage,
                format("invalid prefix \"{}\" of object keys", printable(prefix)));
}

void require_valid_size(std::size_t body_size) {
    if (body_size <= ObjectStorage::object_size_max) return;
    throw Error(ErrorKind::usage, format("an object of {} bytes is larger than the limit of {}",
                                         body_size, ObjectStorage::object_size_max));
}

}  // namespace walden::vault
