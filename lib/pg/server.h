// Questions to a running server, over libpq.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace walden::pg {

class Connection;

/// How long a server is waited for.
struct ServerPatience {
    std::chrono::seconds connecting{10};  ///< libpq waits for at least two
    /// For the answer to each query; nullopt: as long as it takes. Where replay holds a lock on a
    /// catalog, a standby does not answer.
    std::optional<std::chrono::milliseconds> answer{};
};

/// One connection. One thread at a time.
class Server {
public:
    /// Connects; `conninfo` as libpq has it (empty: PGHOST and the like). Throws Error(unavailable)
    /// with libpq's text, and as detail what the server added to it.
    explicit Server(const std::string& conninfo, const ServerPatience& patience = {});
    Server(Server&&) noexcept;
    Server& operator=(Server&&) noexcept;
    ~Server();

    /// The first column of the first row; nullopt for no row or NULL. Throws Error(unavailable);
    /// after an answer that did not come in time the connection is of no use any more.
    [[nodiscard]] std::optional<std::string> query(const std::string& sql) const;

    /// SHOW name.
    [[nodiscard]] std::string setting(const std::string& name) const;

    /// 150020 for 15.20.
    [[nodiscard]] int version() const;

private:
    std::unique_ptr<Connection> connection_;
    std::optional<std::chrono::milliseconds> answer_;
};

}  // namespace walden::pg
