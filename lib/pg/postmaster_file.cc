#include "pg/postmaster_file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "wal/number_text.h"

#include <pwd.h>
#include <sys/stat.h>

#include <array>

namespace walden::pg {

namespace {

/// Eight short lines.
constexpr std::size_t file_size_max = 64 << 10;
/// Of sun_path, with the name of the socket in it.
constexpr std::size_t socket_directory_size_max = 107;

/// Takes the first line off `text`; nullopt if it has no end: it may be half written.
std::optional<std::string_view> take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return line;
}

/// libpq takes a comma for the end of one host, and what begins with neither "/" nor "@" for a
/// name in the network, which is why a relative directory is completed first.
bool is_socket_directory(std::string_view text) {
    if (text.empty() || text.size() > socket_directory_size_max) return false;
    for (const char c : text)
        if (c == ',' || static_cast<unsigned char>(c) < ' ' || c == 0x7F) return false;
    return true;
}

/// As a value of a conninfo string.
std::string quote(std::string_view value) {
    std::string quoted = "'";
    for (const char c : value) {
        if (c == '\'' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + "'";
}

/// "" if that user has no name.
std::string owner_of(const std::string& path) {
    struct stat state {};

    if (::stat(path.c_str(), &state) != 0) return "";
    std::array<char, 4096> text{};

    struct passwd entry {};
    struct passwd* found = nullptr;
    if (::getpwuid_r(state.st_uid, &entry, text.data(), text.size(), &found) != 0 ||
        found == nullptr)
        return "";
    return found->pw_name;
}

}  // namespace

std::optional<ServerAddress> parse_postmaster_file(std::string_view text) {
    constexpr std::size_t port_line = 4;
    constexpr std::size_t socket_line = 5;
    ServerAddress address;
    for (std::size_t number = 1; number <= socket_line; ++number) {
        const auto line = take_line(text);
        if (!line) return std::nullopt;
        if (number == port_line) {
            const auto port = wal::parse_number(*line, 10);
            if (!port || *port == 0 || *port > 0xFFFF) return std::nullopt;
            address.port = static_cast<std::uint16_t>(*port);
        }
        if (number == socket_line) address.socket_directory = *line;
    }
    if (!is_socket_directory(address.socket_directory)) return std::nullopt;
    return address;
}

std::optional<std::string> find_local_conninfo(const std::string& pgdata) {
    const auto file = [&]() -> std::optional<Bytes> {
        try {
            return read_file(pgdata + "/postmaster.pid", file_size_max);
        } catch (const Error&) {
            return std::nullopt;
        }
    }();
    if (!file) return std::nullopt;
    const auto address = parse_postmaster_file(as_text(*file));
    if (!address) return std::nullopt;
    std::string directory = address->socket_directory;
    if (directory.front() != '/' && directory.front() != '@') directory.insert(0, pgdata + "/");
    const std::string owner = owner_of(pgdata);
    if (!is_socket_directory(directory) || owner.empty()) return std::nullopt;
    return format("host={} port={} requirepeer={} dbname=postgres", quote(directory), address->port,
                  quote(owner));
}

}  // namespace walden::pg
