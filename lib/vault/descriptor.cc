#include "vault/descriptor.h"

#include "base/error.h"
#include "base/format.h"
#include "base/hash.h"

#include <algorithm>
#include <charconv>

namespace walden::vault {

namespace {

constexpr std::string_view title = "walden repository\n";
constexpr std::string_view checksum_name = "checksum: ";
constexpr unsigned format_version = 1;

[[noreturn]] void corrupt(std::string_view what) {
    throw Error(ErrorKind::corrupt, format("repository descriptor is malformed: {}", what));
}

/// Takes "name: value\n" from the front of `text` and returns the value.
std::string_view take_line(std::string_view& text, std::string_view name) {
    const std::size_t end = text.find('\n');
    const std::string head = format("{}: ", name);
    if (end == std::string_view::npos || !text.starts_with(head))
        corrupt(format("no line \"{}\" where one must be", name));
    const std::string_view value = text.substr(head.size(), end - head.size());
    text.remove_prefix(end + 1);
    return value;
}

std::string checksum_line(std::string_view before) {
    return format("{}{:08x}\n", checksum_name, crc32c(as_bytes(before)));
}

/// First and last line keep their places in all versions, so that damage is not taken for a newer
/// one.
void require_whole(std::string_view text) {
    const std::size_t last_line_size = checksum_name.size() + 9;
    if (!text.starts_with(title)) corrupt("first line");
    if (text.size() < last_line_size) corrupt("checksum");
    const std::string_view body = text.substr(0, text.size() - last_line_size);
    if (text.substr(body.size()) != checksum_line(body)) corrupt("checksum");
}

/// "2026-11-22T14:32:00Z"
bool is_time(std::string_view text) {
    constexpr std::string_view shape = "0000-00-00T00:00:00Z";
    return text.size() == shape.size() &&
           std::equal(text.begin(), text.end(), shape.begin(), [](char c, char wanted) {
               return wanted == '0' ? c >= '0' && c <= '9' : c == wanted;
           });
}

}  // namespace

std::string encode_descriptor(const Descriptor& descriptor) {
    std::string text = format("{}format: {}\nid: {}\nencryption: {}\nfencing: {}\ncreated: {}\n",
                              title, format_version, to_hex(descriptor.id),
                              descriptor.suite == crypto::Suite::none ? "none" : "aes-256-gcm",
                              descriptor.fencing_proven ? "proven" : "none", descriptor.created);
    return text + checksum_line(text);
}

Descriptor decode_descriptor(ByteView bytes) {
    std::string_view text = as_text(bytes);
    require_whole(text);
    text.remove_prefix(title.size());

    const std::string_view version_text = take_line(text, "format");
    unsigned version = 0;
    const auto [end, error] =
        std::from_chars(version_text.data(), version_text.data() + version_text.size(), version);
    if (error != std::errc() || end != version_text.data() + version_text.size())
        corrupt("format version");
    if (version == 0) corrupt("format version");
    if (version != format_version)
        throw Error(ErrorKind::usage,
                    format("repository format {} is not one that this version of walden "
                           "understands",
                           version))
            .with_hint("Upgrade walden on this host.");

    Descriptor descriptor;
    if (!parse_hex(take_line(text, "id"), descriptor.id)) corrupt("id");
    const std::string_view encryption = take_line(text, "encryption");
    if (encryption != "aes-256-gcm" && encryption != "none") corrupt("encryption");
    descriptor.suite = encryption == "none" ? crypto::Suite::none : crypto::Suite::aes_256_gcm;
    const std::string_view fencing = take_line(text, "fencing");
    if (fencing != "proven" && fencing != "none") corrupt("fencing");
    descriptor.fencing_proven = fencing == "proven";
    descriptor.created = std::string(take_line(text, "created"));
    if (!is_time(descriptor.created)) corrupt("created");
    // Other spellings of the same values, and anything between the lines.
    if (encode_descriptor(descriptor) != as_text(bytes)) corrupt("lines");
    return descriptor;
}

}  // namespace walden::vault
