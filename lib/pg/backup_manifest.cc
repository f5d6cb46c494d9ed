#include "pg/backup_manifest.h"

#include "base/error.h"
#include "base/format.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace walden::pg {

namespace {

/// Paths of 1 KiB, six characters for each byte, or twice as many in hex.
constexpr std::size_t line_size_max = 16 << 10;
/// A backup that follows a chain of promotions has one each.
constexpr std::size_t wal_range_count_max = 10'000;

[[noreturn]] void refuse(std::string_view why) {
    throw Error(ErrorKind::corrupt, format("the server's backup manifest {}", why));
}

using Members = std::map<std::string, std::string, std::less<>>;

template <class Number>
std::optional<Number> parse_whole_number(std::string_view text) {
    Number value = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || error != std::errc() || rest != end) return std::nullopt;
    return value;
}

/// What follows the backslash of a JSON string; PostgreSQL writes \u for control characters only.
char take_escaped(std::string_view& text) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    if (text.empty()) refuse("has a string without end");
    const char letter = text.front();
    text.remove_prefix(1);
    if (letter == 'u') {
        unsigned value = 0;
        const std::string_view digits = text.substr(0, 4);
        const auto [rest, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (digits.size() < 4 || error != std::errc() || rest != digits.data() + 4 || value > 0x7F)
            refuse("has an escape that is not understood");
        text.remove_prefix(4);
        return static_cast<char>(value);
    }
    const auto place = letters.find(letter);
    if (place == std::string_view::npos) refuse("has an escape that is not understood");
    return meanings[place];
}

/// `text` begins with the quote.
std::string take_string(std::string_view& text) {
    std::string value;
    if (!text.starts_with('"')) refuse("lacks a string");
    text.remove_prefix(1);
    while (!text.empty()) {
        const char byte = text.front();
        text.remove_prefix(1);
        if (byte == '"') return value;
        value += byte == '\\' ? take_escaped(text) : byte;
    }
    refuse("has a string without end");
}

void skip_blanks(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
}

bool take(std::string_view& text, std::string_view expected) {
    skip_blanks(text);
    if (!text.starts_with(expected)) return false;
    text.remove_prefix(expected.size());
    return true;
}

/// A name and its value, which is a string or a number.
std::pair<std::string, std::string> take_member(std::string_view& text) {
    skip_blanks(text);
    std::string name = take_string(text);
    if (!take(text, ":")) refuse("has a name without value");
    skip_blanks(text);
    if (text.starts_with('"')) return {std::move(name), take_string(text)};
    const std::string_view number = text.substr(0, text.find_first_not_of("0123456789"));
    text.remove_prefix(number.size());
    if (number.empty()) refuse("has a value that is not understood");
    return {std::move(name), std::string(number)};
}

/// "{ "name": value, ... }", maybe with a comma behind it.
Members parse_object(std::string_view line) {
    Members members;
    if (!take(line, "{")) refuse("has a line that is not understood");
    do {
        auto member = take_member(line);
        if (!members.insert(std::move(member)).second) refuse("has a name twice in one object");
    } while (take(line, ","));
    if (!take(line, "}")) refuse("has an object without end");
    static_cast<void>(take(line, ","));
    skip_blanks(line);
    if (!line.empty()) refuse("has a line that is not understood");
    return members;
}

const std::string& member_of(const Members& members, std::string_view name) {
    const auto place = members.find(name);
    if (place == members.end()) refuse(format("has an object without \"{}\"", name));
    return place->second;
}

std::string path_of(const Members& members) {
    const auto encoded = members.find("Encoded-Path");
    if (encoded == members.end()) return member_of(members, "Path");
    Bytes path(encoded->second.size() / 2);
    if (encoded->second.size() % 2 != 0 || !parse_hex(encoded->second, path))
        refuse("has an encoded path that is not hex");
    return std::string(as_text(path));
}

}  // namespace

void ManifestReader::feed(ByteView bytes) {
    std::string_view text = as_text(bytes);
    while (!text.empty()) {
        const auto end = text.find('\n');
        const std::string_view piece = text.substr(0, end);
        if (line_.size() + piece.size() > line_size_max) refuse("has a line that is too long");
        line_ += piece;
        text.remove_prefix(piece.size());
        if (end == std::string_view::npos) return;
        text.remove_prefix(1);
        const std::string line = std::move(line_);
        line_.clear();
        take_line(line);
    }
}

void ManifestReader::take_line(std::string_view line) {
    if (place_ == Place::end) refuse("goes on behind its end");
    if (place_ == Place::tail) return take_checksum(line);
    hash_.update(as_bytes(line));
    hash_.update(as_bytes("\n"));
    switch (place_) {
        case Place::head: return take_head(line);
        case Place::files: return take_file(line);
        case Place::between:
            if (line != "\"WAL-Ranges\": [") refuse("lacks the ranges of WAL");
            place_ = Place::ranges;
            return;
        case Place::ranges: return take_range(line);
        case Place::tail:
        case Place::end: return;
    }
}

void ManifestReader::take_head(std::string_view line) {
    if (line == "\"Files\": [") {
        if (summary_.version == 0) refuse("names no version");
        if (summary_.version == 2 && !summary_.system_identifier)
            refuse("names no system identifier");
        place_ = Place::files;
        return;
    }
    static_cast<void>(take(line, "{"));
    const auto [name, value] = take_member(line);
    if (!take(line, ",") || !line.empty()) refuse("has a line that is not understood");
    if (name == "PostgreSQL-Backup-Manifest-Version" && summary_.version == 0) {
        summary_.version = parse_whole_number<int>(value).value_or(0);
        if (summary_.version != 1 && summary_.version != 2)
            refuse(format("is of version {}, which is not known here", value));
    } else if (name == "System-Identifier" && !summary_.system_identifier) {
        summary_.system_identifier = parse_whole_number<std::uint64_t>(value);
    } else {
        refuse(format("begins with \"{}\", which is not known here", name));
    }
}

void ManifestReader::take_file(std::string_view line) {
    if (line == "],") {
        place_ = Place::between;
        return;
    }
    if (line.empty()) return;  // there is no file, and the list's end is on a line of its own
    const Members members = parse_object(line);
    ManifestFile file{.path = path_of(members)};
    const auto size = parse_whole_number<std::uint64_t>(member_of(members, "Size"));
    if (!size || file.path.empty()) refuse("has a file without size or name");
    file.size = *size;
    const auto algorithm = members.find("Checksum-Algorithm");
    if (algorithm != members.end() && algorithm->second == "CRC32C") {
        // Hex of the four bytes as they lie in the server's memory, which is little-endian.
        std::array<std::byte, 4> crc{};
        if (!parse_hex(member_of(members, "Checksum"), crc))
            refuse("has a CRC-32C that is not hex");
        file.crc32c = load_le<std::uint32_t>(crc.data());
    }
    on_file_(file);
}

void ManifestReader::take_range(std::string_view line) {
    if (line == "],") {
        place_ = Place::tail;
        return;
    }
    if (line.empty()) return;
    const Members members = parse_object(line);
    const auto timeline = parse_whole_number<wal::TimelineId>(member_of(members, "Timeline"));
    const auto start = wal::parse_lsn(member_of(members, "Start-LSN"));
    const auto end = wal::parse_lsn(member_of(members, "End-LSN"));
    if (!timeline || !start || !end || summary_.wal_ranges.size() == wal_range_count_max)
        refuse("has a range of WAL that is not understood");
    summary_.wal_ranges.push_back({.timeline = *timeline, .start = *start, .end = *end});
}

void ManifestReader::take_checksum(std::string_view line) {
    const auto [name, value] = take_member(line);
    Sha256Digest expected{};
    if (name != "Manifest-Checksum" || line != "}" || !parse_hex(value, expected))
        refuse("has no checksum");
    if (hash_.finish() != expected) refuse("does not have the checksum that it names");
    place_ = Place::end;
}

ManifestSummary ManifestReader::finish() {
    if (place_ != Place::end || !line_.empty()) refuse("is not whole");
    return std::move(summary_);
}

}  // namespace walden::pg
