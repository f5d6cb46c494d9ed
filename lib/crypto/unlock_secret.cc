#include "crypto/unlock_secret.h"

#include "base/error.h"
#include "base/format.h"
#include "base/hash.h"
#include "base/random.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

namespace walden::crypto {

namespace {

constexpr std::string_view key_prefix = "WALDEN-KEY-1-";
constexpr std::size_t key_line_size = key_prefix.size() + 32 + 1 + 64 + 1 + 8;

std::string_view trim(std::string_view text) {
    constexpr std::string_view blanks = " \t\r";
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool starts_with_any_case(std::string_view text, std::string_view upper) {
    return text.size() >= upper.size() &&
           std::equal(upper.begin(), upper.end(), text.begin(), [](char expected, char c) {
               return expected == (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
           });
}

std::uint32_t checksum(const SlotId& id, ByteView key) {
    return crc32c_finish(crc32c_update(crc32c_update(crc32c_start, id), key));
}

[[noreturn]] void refuse_line(std::size_t line_number, std::string_view problem) {
    throw Error(ErrorKind::usage, format("line {} of the key text {}", line_number, problem))
        .with_hint(
            "A key is one line WALDEN-KEY-1-... of 119 characters; lines that start with # are "
            "comments.");
}

/// What the fields of a key line say, or why they say nothing.
void parse_key_line(std::string_view line, std::size_t line_number, SlotId& id, Secret<32>& key) {
    if (!starts_with_any_case(line, key_prefix))
        refuse_line(line_number, "is neither a comment nor a walden key");
    if (line.size() != key_line_size)
        refuse_line(line_number, line.size() < key_line_size ? "is too short for a key"
                                                             : "is too long for a key");
    const std::string_view fields = line.substr(key_prefix.size());
    std::array<std::byte, 4> crc{};
    if (fields[32] != '-' || fields[97] != '-' || !parse_hex(fields.substr(0, 32), id) ||
        !parse_hex(fields.substr(33, 64), key.writable()) || !parse_hex(fields.substr(98), crc))
        refuse_line(line_number, "has a character that does not belong into a key");
    std::array<std::byte, 4> expected{};
    store_be(expected.data(), checksum(id, key.view()));
    if (crc != expected)
        refuse_line(line_number, "has a typing mistake: the checksum does not fit");
}

void append_hex(Bytes& out, ByteView bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    for (const std::byte b : bytes) {
        out.push_back(static_cast<std::byte>(digits[static_cast<unsigned>(b) >> 4]));
        out.push_back(static_cast<std::byte>(digits[static_cast<unsigned>(b) & 15]));
    }
}

}  // namespace

UnlockSecret UnlockSecret::make_random_key() {
    UnlockSecret secret;
    fill_random(secret.slot_id_);
    fill_random(secret.key_.writable());
    return secret;
}

UnlockSecret UnlockSecret::from_passphrase(std::string passphrase) {
    if (passphrase.empty()) throw Error(ErrorKind::usage, "the passphrase is empty");
    UnlockSecret secret;
    secret.source_ = SlotSource::passphrase;
    secret.passphrase_ = to_bytes(as_bytes(passphrase));
    secure_zero(passphrase.data(), passphrase.size());
    return secret;
}

UnlockSecret UnlockSecret::from_key_text(std::string_view text) {
    UnlockSecret secret;
    bool found = false;
    for (std::size_t line_number = 1; !text.empty(); ++line_number) {
        const std::size_t line_size = std::min(text.find('\n'), text.size());
        const std::string_view line = trim(text.substr(0, line_size));
        text.remove_prefix(std::min(line_size + 1, text.size()));
        if (line.empty() || line.front() == '#') continue;
        if (found) refuse_line(line_number, "is a second one beside the key");
        parse_key_line(line, line_number, secret.slot_id_, secret.key_);
        found = true;
    }
    if (!found)
        throw Error(ErrorKind::usage, "the key text has no key line")
            .with_hint("A key is one line WALDEN-KEY-1-... of 119 characters.");
    return secret;
}

UnlockSecret& UnlockSecret::operator=(UnlockSecret other) noexcept {
    std::swap(source_, other.source_);
    std::swap(slot_id_, other.slot_id_);
    std::swap(key_, other.key_);
    passphrase_.swap(other.passphrase_);
    return *this;
}

UnlockSecret::~UnlockSecret() {
    secure_zero(passphrase_.data(), passphrase_.size());
}

Bytes UnlockSecret::to_key_text() const {
    assert(source_ == SlotSource::random_key);
    Bytes text;
    text.reserve(key_line_size + 1);  // growing would leave copies of the key behind
    append(text, as_bytes(key_prefix));
    append_hex(text, slot_id_);
    text.push_back(std::byte{'-'});
    append_hex(text, key_.view());
    text.push_back(std::byte{'-'});
    std::byte crc[4];
    store_be(crc, checksum(slot_id_, key_.view()));
    append_hex(text, crc);
    text.push_back(std::byte{'\n'});
    assert(text.size() == key_line_size + 1);
    return text;
}

}  // namespace walden::crypto
