// Where a running server can be asked, as its postmaster.pid tells (src/include/utils/pidfile.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace walden::pg {

struct ServerAddress {
    std::uint16_t port = 0;
    std::string socket_directory;  ///< as the server has it: may be relative to its data directory

    friend bool operator==(const ServerAddress&, const ServerAddress&) = default;
};

/// Lines 4 and 5 of the file: the port and the first socket directory. nullopt if they are not
/// there yet (the server writes line by line), are no port and no directory, or the server has no
/// socket.
[[nodiscard]] std::optional<ServerAddress> parse_postmaster_file(std::string_view text);

/// How libpq finds the server of a data directory by its postmaster.pid, database postgres. A file
/// that a crash left behind may name a socket that is another's by now, so the server must run as
/// the user who owns the data directory. nullopt if the file is not there or names no socket.
[[nodiscard]] std::optional<std::string> find_local_conninfo(const std::string& pgdata);

}  // namespace walden::pg
