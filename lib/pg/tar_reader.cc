#include "pg/tar_reader.h"

#include "base/error.h"
#include "base/format.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace walden::pg {

namespace {

constexpr std::size_t block_size = 512;
constexpr std::size_t long_name_size_max = 4096;  // PATH_MAX

struct Field {
    std::size_t offset;
    std::size_t size;
};

constexpr Field name_field{0, 100};
constexpr Field mode_field{100, 8};
constexpr Field size_field{124, 12};
constexpr Field modified_field{136, 12};
constexpr Field checksum_field{148, 8};
constexpr std::size_t type_offset = 156;
constexpr Field link_field{157, 100};
constexpr Field magic_field{257, 5};
constexpr Field prefix_field{345, 155};

[[noreturn]] void refuse(std::string_view why) {
    throw Error(ErrorKind::corrupt, format("the server's archive {}", why));
}

ByteView field_of(ByteView header, Field field) {
    return header.subspan(field.offset, field.size);
}

/// Up to the first NUL.
std::string text_of(ByteView header, Field field) {
    const std::string_view text = as_text(field_of(header, field));
    return std::string(text.substr(0, text.find('\0')));
}

/// Base-256: big-endian behind the mark, which is in the first byte.
std::uint64_t binary_number(ByteView bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto byte = static_cast<std::uint64_t>(bytes[i]) & (i == 0 ? 0x7FU : 0xFFU);
        if (value >> 55 != 0) refuse("has a number that is too large");
        value = value << 8 | byte;
    }
    return value;
}

std::uint64_t number_of(ByteView header, Field field) {
    const ByteView bytes = field_of(header, field);
    if ((bytes[0] & std::byte{0x80}) != std::byte{0}) return binary_number(bytes);
    std::string_view text = as_text(bytes);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    text = text.substr(0, text.find_first_of(std::string_view(" \0", 2)));
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value, 8);
    if (!text.empty() && (error != std::errc() || rest != end))
        refuse("has a header with a number that is none");
    return value;
}

void require_checksum(ByteView header) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < header.size(); ++i) {
        const bool is_checksum =
            i >= checksum_field.offset && i < checksum_field.offset + checksum_field.size;
        sum += is_checksum ? std::uint64_t{' '} : static_cast<std::uint64_t>(header[i]);
    }
    if (sum != number_of(header, checksum_field) || text_of(header, magic_field) != "ustar")
        refuse("has a header that is damaged");
}

/// Without "." parts and the slash of a directory. Whatever could lead out of the directory that
/// the archive is for is refused.
std::string safe_path(std::string_view path) {
    std::string safe;
    if (path.starts_with('/') || path.find('\0') != std::string_view::npos)
        refuse("has a name that is no relative path");
    while (!path.empty()) {
        const std::string_view part = path.substr(0, path.find('/'));
        path.remove_prefix(std::min(path.size(), part.size() + 1));
        if (part == "..") refuse("has a name with \"..\" in it");
        if (part.empty() || part == ".") continue;
        if (!safe.empty()) safe += '/';
        safe += part;
    }
    return safe;
}

/// "<length> <key>=<value>\n", the length counting all of it.
struct PaxRecord {
    std::string_view key;
    std::string_view value;
};

PaxRecord take_pax_record(std::string_view& text) {
    std::size_t size = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    const auto digits = static_cast<std::size_t>(rest - text.data());
    if (error != std::errc() || size > text.size() || size < digits + 3 || text[digits] != ' ' ||
        text[size - 1] != '\n')
        refuse("has an extended header that is damaged");
    const std::string_view record = text.substr(digits + 1, size - digits - 2);
    const auto equals = record.find('=');
    if (equals == std::string_view::npos) refuse("has an extended header that is damaged");
    text.remove_prefix(size);
    return {.key = record.substr(0, equals), .value = record.substr(equals + 1)};
}

}  // namespace

void TarReader::feed(ByteView bytes) {
    while (!bytes.empty()) {
        if (state_ == State::header || state_ == State::end) {
            const std::size_t taken = std::min(bytes.size(), block_size - block_.size());
            append(block_, bytes.first(taken));
            bytes = bytes.subspan(taken);
            if (block_.size() == block_size) take_header();
            continue;
        }
        const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_));
        const ByteView piece = bytes.first(taken);
        bytes = bytes.subspan(taken);
        left_ -= taken;
        if (state_ == State::data) sink_.on_data(piece);
        if (state_ == State::long_name) append(block_, piece);
        if (left_ == 0) end_data();
    }
}

void TarReader::finish() {
    if ((state_ != State::header && state_ != State::end) || !block_.empty() ||
        !long_path_.empty() || !long_target_.empty() || has_long_size_)
        refuse("ends in its middle");
}

void TarReader::take_header() {
    const Bytes header = std::move(block_);
    block_.clear();
    if (is_zero(header)) {
        state_ = State::end;
        return;
    }
    if (state_ == State::end) refuse("goes on behind its end");
    require_checksum(header);
    const char type = static_cast<char>(header[type_offset]);
    const std::uint64_t size = number_of(header, size_field);
    if (type == 'L' || type == 'K' || type == 'x') return begin_extension(type, size);

    TarEntry entry;
    const std::string prefix = text_of(header, prefix_field);
    const std::string name = text_of(header, name_field);
    entry.path = safe_path(!long_path_.empty() ? long_path_
                           : prefix.empty()    ? name
                                               : prefix + "/" + name);
    entry.mode = static_cast<std::uint32_t>(number_of(header, mode_field) & 07777U);
    entry.modified = static_cast<std::int64_t>(number_of(header, modified_field));
    if (type == '5') {
        entry.kind = TarEntryKind::directory;
    } else if (type == '2') {
        entry.kind = TarEntryKind::link;
        entry.target = long_target_.empty() ? text_of(header, link_field) : long_target_;
        if (entry.target.empty()) refuse("has a link that leads nowhere");
    } else if (type == '0' || type == '\0') {
        entry.size = has_long_size_ ? long_size_ : size;
    } else {
        refuse(format("has an entry of type {:#04x}", static_cast<unsigned char>(type)));
    }
    if (entry.path.empty() && entry.kind != TarEntryKind::directory)
        refuse("has an entry without name");
    long_path_.clear();
    long_target_.clear();
    has_long_size_ = false;
    if (!entry.path.empty()) sink_.on_entry(entry);
    if (entry.kind != TarEntryKind::file) return;
    left_ = entry.size;
    padding_ = (block_size - entry.size % block_size) % block_size;
    state_ = State::data;
    if (left_ == 0) end_data();
}

void TarReader::begin_extension(char type, std::uint64_t size) {
    if (size == 0 || size > long_name_size_max) refuse("has a name that is too long");
    extension_ = type;
    left_ = size;
    padding_ = (block_size - size % block_size) % block_size;
    state_ = State::long_name;
}

void TarReader::end_extension() {
    std::string_view text = as_text(block_);
    if (extension_ == 'x') {
        while (!text.empty()) {
            const PaxRecord record = take_pax_record(text);
            if (record.key == "path") long_path_ = record.value;
            if (record.key == "linkpath") long_target_ = record.value;
            if (record.key != "size") continue;
            const char* const end = record.value.data() + record.value.size();
            const auto [rest, error] = std::from_chars(record.value.data(), end, long_size_);
            if (error != std::errc() || rest != end || long_size_ >> 62 != 0)
                refuse("has an extended header that is damaged");
            has_long_size_ = true;
        }
    } else {
        (extension_ == 'L' ? long_path_ : long_target_) = text.substr(0, text.find('\0'));
    }
    block_.clear();
}

void TarReader::end_data() {
    if (state_ == State::data) sink_.on_file_end();
    if (state_ == State::long_name) end_extension();
    const bool has_padding = state_ != State::padding && padding_ != 0;
    state_ = has_padding ? State::padding : State::header;
    left_ = has_padding ? padding_ : 0;
}

}  // namespace walden::pg
