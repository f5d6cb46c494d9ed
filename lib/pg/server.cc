// The door to libpq.
#include "pg/server.h"

#include <libpq-fe.h>

#include "base/error.h"
#include "base/format.h"

namespace walden::pg {

namespace {

std::string first_line(const char* text) {
    std::string line(text);
    if (const auto end = line.find('\n'); end != std::string::npos) line.resize(end);
    return line;
}

struct ResultDeleter {
    void operator()(PGresult* result) const { PQclear(result); }
};

}  // namespace

struct Server::Connection {
    PGconn* handle = nullptr;

    ~Connection() { PQfinish(handle); }
};

Server::Server(const std::string& conninfo) : connection_(std::make_unique<Connection>()) {
    const char* const names[] = {"dbname", "connect_timeout", "application_name", nullptr};
    // "dbname" first, expanded: a whole conninfo string may stand there; the defaults after it.
    const std::string target = conninfo.empty() ? "dbname=postgres" : conninfo;
    const char* const values[] = {target.c_str(), "10", "walden", nullptr};
    connection_->handle = PQconnectdbParams(names, values, 1);
    if (connection_->handle == nullptr || PQstatus(connection_->handle) != CONNECTION_OK)
        throw Error(ErrorKind::unavailable,
                    first_line(PQerrorMessage(connection_->handle)));
}

Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&&) noexcept = default;
Server::~Server() = default;

std::optional<std::string> Server::query(const std::string& sql) const {
    const std::unique_ptr<PGresult, ResultDeleter> result(
        PQexec(connection_->handle, sql.c_str()));
    if (PQresultStatus(result.get()) != PGRES_TUPLES_OK)
        throw Error(ErrorKind::unavailable,
                    format("ask the server \"{}\": {}", sql,
                           first_line(PQerrorMessage(connection_->handle))));
    if (PQntuples(result.get()) == 0 || PQgetisnull(result.get(), 0, 0) != 0) return std::nullopt;
    return std::string(PQgetvalue(result.get(), 0, 0));
}

std::string Server::setting(const std::string& name) const {
    return query(format("SHOW {}", name)).value_or("");
}

int Server::version() const { return PQserverVersion(connection_->handle); }

}  // namespace walden::pg
