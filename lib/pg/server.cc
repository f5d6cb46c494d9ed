// The door to libpq.
#include "pg/server.h"

#include "base/error.h"
#include "base/format.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>

namespace walden::pg {

namespace {

std::string first_line(const char* text) {
    std::string line(text);
    if (const auto end = line.find('\n'); end != std::string::npos) line.resize(end);
    return line;
}

/// What follows "DETAIL:" in a message of the server; "" if nothing does.
std::string detail_of(const char* text) {
    constexpr std::string_view mark = "\nDETAIL:";
    const std::string_view whole(text);
    const auto begin = whole.find(mark);
    if (begin == std::string_view::npos) return "";
    const std::string line = first_line(text + begin + mark.size());
    return line.substr(std::min(line.find_first_not_of(' '), line.size()));
}

struct ResultDeleter {
    void operator()(PGresult* result) const { PQclear(result); }
};

using Result = std::unique_ptr<PGresult, ResultDeleter>;
using Clock = std::chrono::steady_clock;

/// Waits until PQgetResult has something to return.
void await_result(PGconn* handle, Clock::time_point deadline) {
    while (PQisBusy(handle) != 0) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        pollfd descriptor{.fd = PQsocket(handle), .events = POLLIN, .revents = 0};
        if (left.count() <= 0 || (::poll(&descriptor, 1, static_cast<int>(left.count())) == 0 &&
                                  Clock::now() > deadline))
            throw Error(ErrorKind::unavailable, "the server does not answer in time");
        if (PQconsumeInput(handle) == 0)
            throw Error(ErrorKind::unavailable, first_line(PQerrorMessage(handle)));
    }
}

Result execute(PGconn* handle, const std::string& sql,
               const std::optional<std::chrono::milliseconds>& patience) {
    if (!patience) return Result(PQexec(handle, sql.c_str()));
    const auto deadline = Clock::now() + *patience;
    if (PQsendQuery(handle, sql.c_str()) == 0) return nullptr;
    await_result(handle, deadline);
    Result result(PQgetResult(handle));
    // The next query cannot be sent before nothing is left of this one.
    for (bool is_left = result != nullptr; is_left;) {
        await_result(handle, deadline);
        is_left = Result(PQgetResult(handle)) != nullptr;
    }
    return result;
}

}  // namespace

struct Server::Connection {
    PGconn* handle = nullptr;
    ServerPatience patience;

    ~Connection() { PQfinish(handle); }
};

Server::Server(const std::string& conninfo, const ServerPatience& patience)
    : connection_(std::make_unique<Connection>()) {
    const char* const names[] = {"dbname", "connect_timeout", "application_name", nullptr};
    // "dbname" first, expanded: a whole conninfo string may stand there; the defaults after it.
    const std::string target = conninfo.empty() ? "dbname=postgres" : conninfo;
    const std::string seconds = format("{}", patience.connecting.count());
    const char* const values[] = {target.c_str(), seconds.c_str(), "walden", nullptr};
    connection_->patience = patience;
    connection_->handle = PQconnectdbParams(names, values, 1);
    if (connection_->handle != nullptr && PQstatus(connection_->handle) == CONNECTION_OK) return;
    const char* const text = PQerrorMessage(connection_->handle);
    throw Error(ErrorKind::unavailable, first_line(text)).with_detail(detail_of(text));
}

Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&&) noexcept = default;
Server::~Server() = default;

std::optional<std::string> Server::query(const std::string& sql) const {
    const Result result = execute(connection_->handle, sql, connection_->patience.answer);
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

int Server::version() const {
    return PQserverVersion(connection_->handle);
}

}  // namespace walden::pg
