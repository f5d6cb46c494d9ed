// Property: whatever the text, it is a key that survives a round trip, or an Error of kind usage
// that shows no six characters of any line, as no secret may reach a log.
#include "base/error.h"
#include "crypto/unlock_secret.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace walden;
using namespace walden::crypto;

void require(bool holds) {
    if (!holds) std::abort();
}

/// What the messages are made of besides a line number; input that quotes it proves nothing.
constexpr std::string_view vocabulary =
    "line of the key text is neither a comment nor a walden key is too short for a key is too long "
    "for a key has a character that does not belong into a key has a typing mistake: the checksum "
    "does not fit is a second one beside the key the key text has no key line A key is one line "
    "WALDEN-KEY-1-... of 119 characters; lines that start with # are comments. characters. key "
    "text is neither key text has key text is";

void require_silent(const Error& error, std::string_view text) {
    const std::string shown = error.message() + "\n" + error.detail() + "\n" + error.hint();
    for (std::size_t i = 0; i + 6 <= text.size(); ++i) {
        const std::string_view piece = text.substr(i, 6);
        const bool is_secret_like = std::all_of(piece.begin(), piece.end(), [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        });
        if (is_secret_like && vocabulary.find(piece) == std::string_view::npos)
            require(shown.find(piece) == std::string::npos);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
    try {
        const UnlockSecret secret = UnlockSecret::from_key_text(text);
        const Bytes line = secret.to_key_text();
        const UnlockSecret again = UnlockSecret::from_key_text(as_text(line));
        require(again.slot_id() == secret.slot_id());
        require(equal(again.unlock_key({}, {}).view(), secret.unlock_key({}, {}).view()));
        require(equal(again.to_key_text(), line));
    } catch (const Error& error) {
        require(error.kind() == ErrorKind::usage);
        require_silent(error, text);
    }
    return 0;
}
