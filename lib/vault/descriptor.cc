#include "vault/descriptor.h"

#include <charconv>

#include "base/error.h"
#include "base/format.h"
#include "base/hash.h"

namespace walden::vault {

namespace {

constexpr std::string_view title = "walden repository\n";
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

}  // namespace

std::string encode_descriptor(const Descriptor& descriptor) {
    std::string text = format(
        "{}format: {}\nid: {}\nencryption: {}\nfencing: {}\ncreated: {}\n", title, format_version,
        to_hex(descriptor.id), descriptor.suite == crypto::Suite::none ? "none" : "aes-256-gcm",
        descriptor.fencing_proven ? "proven" : "none", descriptor.created);
    text += format("checksum: {:08x}\n", crc32c(as_bytes(text)));
    return text;
}

Descriptor decode_descriptor(ByteView bytes) {
    std::string_view text = as_text(bytes);
    if (!text.starts_with(title)) corrupt("first line");
    text.remove_prefix(title.size());

    const std::string_view version_text = take_line(text, "format");
    unsigned version = 0;
    const auto [end, error] = std::from_chars(
        version_text.data(), version_text.data() + version_text.size(), version);
    if (error != std::errc() || end != version_text.data() + version_text.size())
        corrupt("format version");
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
    descriptor.suite =
        encryption == "none" ? crypto::Suite::none : crypto::Suite::aes_256_gcm;
    const std::string_view fencing = take_line(text, "fencing");
    if (fencing != "proven" && fencing != "none") corrupt("fencing");
    descriptor.fencing_proven = fencing == "proven";
    descriptor.created = std::string(take_line(text, "created"));

    const ByteView summed = bytes.first(bytes.size() - text.size());
    if (take_line(text, "checksum") != format("{:08x}", crc32c(summed)) || !text.empty())
        corrupt("checksum");
    return descriptor;
}

}  // namespace walden::vault
