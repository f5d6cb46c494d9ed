#include "pg/tablespace_map.h"

#include "base/error.h"
#include "base/format.h"
#include "wal/number_text.h"

#include <algorithm>

namespace walden::pg {

namespace {

constexpr int version_with_escaped_backslash = 14;

bool is_line_break(char byte) {
    return byte == '\n' || byte == '\r';
}

/// Takes a line and its end off `text`, without the escapes; nullopt if it has no end.
std::optional<std::string> take_map_line(std::string_view& text, int major_version) {
    std::string line;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool has_next = i + 1 < text.size();
        if (text[i] == '\\' && major_version >= version_with_escaped_backslash && has_next) {
            line += text[++i];
        } else if (text[i] == '\\' && has_next && is_line_break(text[i + 1])) {
            line += text[++i];
        } else if (is_line_break(text[i])) {
            text.remove_prefix(i + 1);
            return line;
        } else {
            line += text[i];
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::vector<Tablespace>> parse_tablespace_map(std::string_view text,
                                                            int major_version) {
    std::vector<Tablespace> tablespaces;
    while (!text.empty()) {
        const auto line = take_map_line(text, major_version);
        if (!line) return std::nullopt;
        if (line->empty()) continue;  // after "\r" of "\r\n"
        const auto blank = line->find(' ');
        const auto oid = wal::parse_number(std::string_view(*line).substr(0, blank), 10);
        if (!oid || blank == std::string::npos || blank + 1 == line->size()) return std::nullopt;
        for (const Tablespace& other : tablespaces)
            if (other.oid == *oid) return std::nullopt;
        tablespaces.push_back({.oid = *oid, .location = line->substr(blank + 1)});
    }
    return tablespaces;
}

std::string to_tablespace_map(const std::vector<Tablespace>& tablespaces, int major_version) {
    std::string text;
    for (const Tablespace& tablespace : tablespaces) {
        text += format("{} ", tablespace.oid);
        for (const char byte : tablespace.location) {
            if (is_line_break(byte) ||
                (byte == '\\' && major_version >= version_with_escaped_backslash))
                text += '\\';
            text += byte;
        }
        text += '\n';
    }
    if (parse_tablespace_map(text, major_version) != tablespaces)
        throw Error(ErrorKind::usage,
                    format("PostgreSQL {} cannot restore one of these tablespaces to its place",
                           major_version))
            .with_hint("Choose places whose paths have no backslash and no line break.");
    return text;
}

}  // namespace walden::pg
