#include "pg/server.h"

#include "base/error.h"
#include "base/format.h"
#include "pg/connection.h"

namespace walden::pg {

Server::Server(const std::string& conninfo, const ServerPatience& patience)
    : connection_(std::make_unique<Connection>(conninfo,
                                               ConnectOptions{.connecting = patience.connecting})),
      answer_(patience.answer) {}

Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&&) noexcept = default;
Server::~Server() = default;

std::optional<std::string> Server::query(const std::string& sql) const {
    const Answer answer = connection_->ask(sql, {.longest = answer_});
    if (answer.kind != AnswerKind::rows)
        throw Error(ErrorKind::unavailable,
                    format("ask the server \"{}\": {}", sql, answer.refusal.message));
    if (answer.rows.empty() || answer.rows[0].empty()) return std::nullopt;
    return answer.rows[0][0];
}

std::string Server::setting(const std::string& name) const {
    return query(format("SHOW {}", name)).value_or("");
}

int Server::version() const {
    return connection_->server_version();
}

}  // namespace walden::pg
