#include "storage/s3/flat_json.h"

#include <cstdint>

namespace walden::storage::s3 {

namespace {

/// Reads from the front of `rest`; every function is false, or nullopt, at the first fault.
struct Reader {
    std::string_view rest;

    void skip_blanks() {
        const std::size_t first = rest.find_first_not_of(" \t\r\n");
        rest.remove_prefix(first == std::string_view::npos ? rest.size() : first);
    }

    bool take(char expected) {
        skip_blanks();
        if (rest.empty() || rest.front() != expected) return false;
        rest.remove_prefix(1);
        return true;
    }

    std::optional<std::uint32_t> take_hex() {
        std::uint32_t value = 0;
        if (rest.size() < 4) return std::nullopt;
        for (int i = 0; i < 4; ++i) {
            const char c = rest[static_cast<std::size_t>(i)];
            const bool is_digit = c >= '0' && c <= '9';
            const char lower = static_cast<char>(c | 0x20);
            if (!is_digit && (lower < 'a' || lower > 'f')) return std::nullopt;
            value = value * 16 + static_cast<std::uint32_t>(is_digit ? c - '0' : lower - 'a' + 10);
        }
        rest.remove_prefix(4);
        return value;
    }

    /// What follows a backslash. Of \u only ASCII: no credentials have anything else.
    bool take_escape(std::string& out) {
        if (rest.empty()) return false;
        const char c = rest.front();
        rest.remove_prefix(1);
        switch (c) {
            case '"':
            case '\\':
            case '/': out += c; return true;
            case 'b': out += '\b'; return true;
            case 'f': out += '\f'; return true;
            case 'n': out += '\n'; return true;
            case 'r': out += '\r'; return true;
            case 't': out += '\t'; return true;
            case 'u': break;
            default: return false;
        }
        const auto code = take_hex();
        if (!code || *code >= 0x80) return false;
        out += static_cast<char>(*code);
        return true;
    }

    std::optional<std::string> take_text() {
        if (!take('"')) return std::nullopt;
        std::string out;
        while (!rest.empty()) {
            const char c = rest.front();
            rest.remove_prefix(1);
            if (c == '"') return out;
            if (static_cast<unsigned char>(c) < ' ') return std::nullopt;
            if (c != '\\')
                out += c;
            else if (!take_escape(out))
                return std::nullopt;
        }
        return std::nullopt;
    }

    /// A number, true, false or null: no text, and nothing that nests.
    bool skip_scalar() {
        const std::size_t size = rest.find_first_not_of("+-.0123456789Eaeflnrstu");
        if (size == 0 || rest.empty()) return false;
        rest.remove_prefix(size == std::string_view::npos ? rest.size() : size);
        return true;
    }

    bool take_member(FlatJson& members) {
        auto name = take_text();
        if (!name || !take(':')) return false;
        skip_blanks();
        if (rest.empty() || rest.front() != '"') return skip_scalar();
        auto value = take_text();
        return value && members.try_emplace(std::move(*name), std::move(*value)).second;
    }
};

}  // namespace

std::optional<FlatJson> parse_flat_json(std::string_view text) {
    Reader reader{text};
    FlatJson members;
    if (!reader.take('{')) return std::nullopt;
    if (!reader.take('}')) {
        do {
            if (!reader.take_member(members)) return std::nullopt;
        } while (reader.take(','));
        if (!reader.take('}')) return std::nullopt;
    }
    reader.skip_blanks();
    if (!reader.rest.empty()) return std::nullopt;
    return members;
}

}  // namespace walden::storage::s3
