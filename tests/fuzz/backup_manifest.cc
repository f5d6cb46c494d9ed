// Property: a manifest says the same however it is cut into pieces, and one that is taken has the
// checksum that it names. The checksum of each input is made right as well, so that the parser
// behind it is reached.
#include "pg/backup_manifest.h"

#include "base/error.h"
#include "property.h"

#include <string>

using namespace walden;
using namespace walden::pg;

namespace {

std::string read(std::string_view text, std::size_t piece_size, bool& is_taken) {
    std::string seen;
    ManifestReader reader([&](const ManifestFile& file) {
        require_property(!file.path.empty(), "a file has a name");
        require_property(file.path.size() <= text.size(), "names are bounded by the input");
        seen += file.path + '\n' + std::to_string(file.size) + '\n';
    });
    try {
        for (std::size_t at = 0; at < text.size(); at += piece_size)
            reader.feed(as_bytes(text.substr(at, piece_size)));
        const ManifestSummary summary = reader.finish();
        require_property(summary.version == 1 || summary.version == 2, "the version is known");
        is_taken = true;
    } catch (const Error& error) {
        require_property(error.kind() == ErrorKind::corrupt, "a refusal is corrupt");
        is_taken = false;
        seen += error.message();
    }
    return seen;
}

void check(std::string_view text) {
    bool is_taken = false;
    const std::string whole = read(text, text.size() + 1, is_taken);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{17}}) {
        bool is_also_taken = false;
        require_property(read(text, piece, is_also_taken) == whole && is_also_taken == is_taken,
                         "the cut does not matter");
    }
    if (!is_taken) return;
    const auto line = text.rfind("\n\"Manifest-Checksum\"");
    require_property(line != std::string_view::npos, "the checksum has a line of its own");
    Sha256 hash;
    hash.update(as_bytes(text.substr(0, line + 1)));
    std::array<std::byte, 32> named{};
    require_property(
        parse_hex(text.substr(text.find(": \"", line) + 3, 64), named) && named == hash.finish(),
        "the checksum is right");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check(text);
    const std::string body(text.substr(0, text.rfind("\"Manifest-Checksum\"")));
    Sha256 hash;
    hash.update(as_bytes(body));
    check(body + "\"Manifest-Checksum\": \"" + to_hex(hash.finish()) + "\"}\n");
    return 0;
}
