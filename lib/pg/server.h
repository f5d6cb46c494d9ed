// Questions to a running server, over libpq.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace walden::pg {

/// One connection. One thread at a time.
class Server {
public:
    /// Connects; `conninfo` as libpq has it (empty: PGHOST and the like). Waits at most ten
    /// seconds. Throws Error(unavailable) with libpq's text.
    explicit Server(const std::string& conninfo);
    Server(Server&&) noexcept;
    Server& operator=(Server&&) noexcept;
    ~Server();

    /// The first column of the first row; nullopt for no row or NULL. Throws Error(unavailable).
    [[nodiscard]] std::optional<std::string> query(const std::string& sql) const;

    /// SHOW name.
    [[nodiscard]] std::string setting(const std::string& name) const;

    /// 150020 for 15.20.
    [[nodiscard]] int version() const;

private:
    struct Connection;
    std::unique_ptr<Connection> connection_;
};

}  // namespace walden::pg
