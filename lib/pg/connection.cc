#include "pg/connection.h"

#include "base/format.h"
#include "pg/query_fields.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>

namespace walden::pg {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds watch_interval{1000};

/// A peer that is gone without a word is noticed within a minute: first probe after 30 s of
/// silence, then 3, 10 s apart. What the user's conninfo says comes later and wins.
constexpr const char* keepalive_idle = "30";
constexpr const char* keepalive_interval = "10";
constexpr const char* keepalive_count = "3";

std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

/// What follows "DETAIL:" in a message of the server; "" if nothing does.
std::string detail_of(std::string_view text) {
    constexpr std::string_view mark = "\nDETAIL:";
    const auto begin = text.find(mark);
    if (begin == std::string_view::npos) return "";
    const std::string line = first_line(text.substr(begin + mark.size()));
    return line.substr(std::min(line.find_first_not_of(' '), line.size()));
}

struct ResultDeleter {
    void operator()(PGresult* result) const { PQclear(result); }
};

using Result = std::unique_ptr<PGresult, ResultDeleter>;

struct LibpqDeleter {
    void operator()(char* memory) const { PQfreemem(memory); }
};

std::string field_of(const PGresult* result, int field) {
    const char* const text = PQresultErrorField(result, field);
    return text == nullptr ? "" : first_line(text);
}

std::vector<Row> rows_of(const PGresult* result) {
    std::vector<Row> rows(static_cast<std::size_t>(PQntuples(result)));
    for (std::size_t number = 0; number < rows.size(); ++number)
        for (int column = 0; column < PQnfields(result); ++column) {
            const int row = static_cast<int>(number);
            if (PQgetisnull(result, row, column) != 0)
                rows[number].emplace_back(std::nullopt);
            else
                rows[number].emplace_back(
                    std::string(PQgetvalue(result, row, column),
                                static_cast<std::size_t>(PQgetlength(result, row, column))));
        }
    return rows;
}

Answer to_answer(const PGresult* result, PGconn* handle) {
    if (result == nullptr) return {};
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK) return {.kind = AnswerKind::rows, .rows = rows_of(result)};
    if (status == PGRES_COMMAND_OK) return {.kind = AnswerKind::done};
    if (status == PGRES_COPY_OUT) return {.kind = AnswerKind::copy_out};
    Refusal refusal{.sqlstate = field_of(result, PG_DIAG_SQLSTATE),
                    .message = field_of(result, PG_DIAG_MESSAGE_PRIMARY),
                    .detail = field_of(result, PG_DIAG_MESSAGE_DETAIL),
                    .hint = field_of(result, PG_DIAG_MESSAGE_HINT)};
    if (refusal.message.empty()) refusal.message = first_line(PQerrorMessage(handle));
    return {.kind = AnswerKind::refused, .refusal = std::move(refusal)};
}

}  // namespace

Error to_error(const Refusal& refusal) {
    const std::string_view state = refusal.sqlstate;
    ErrorKind kind = ErrorKind::unavailable;
    if (state == "42501") kind = ErrorKind::denied;  // insufficient_privilege
    // object_not_in_prerequisite_state and data exceptions.
    if (state == "55000" || state.starts_with("22")) kind = ErrorKind::usage;
    return Error(kind, refusal.message).with_detail(refusal.detail).with_hint(refusal.hint);
}

std::vector<Row> ask_rows(Connection& connection, const std::string& statement,
                          const Waiting& waiting) {
    Answer answer = connection.ask(statement, waiting);
    if (answer.kind == AnswerKind::refused) throw to_error(answer.refusal);
    return std::move(answer.rows);
}

struct Connection::Handle {
    PGconn* connection = nullptr;
    std::unique_ptr<char, LibpqDeleter> copy_data;

    ~Handle() { PQfinish(connection); }

    /// Waits until something more has come from the server.
    void await_input(const Waiting& waiting, Clock::time_point deadline) {
        for (;;) {
            auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
            if (!waiting.longest) left = std::chrono::milliseconds(-1);
            if (waiting.longest && left.count() <= 0)
                throw Error(ErrorKind::unavailable, "the server does not answer in time");
            if (waiting.watch)
                left = waiting.longest ? std::min(left, watch_interval) : watch_interval;
            pollfd descriptor{.fd = PQsocket(connection), .events = POLLIN, .revents = 0};
            if (::poll(&descriptor, 1, static_cast<int>(left.count())) != 0) break;
            if (waiting.watch) waiting.watch();
        }
        if (PQconsumeInput(connection) == 0)
            throw Error(ErrorKind::unavailable, first_line(PQerrorMessage(connection)));
    }

    static Clock::time_point deadline_of(const Waiting& waiting) {
        return Clock::now() + waiting.longest.value_or(std::chrono::milliseconds(0));
    }
};

Connection::Connection(const std::string& conninfo, const ConnectOptions& options)
    : handle_(std::make_unique<Handle>()) {
    const bool is_replication = options.dialect == Dialect::replication;
    const std::string target = conninfo.empty() ? "dbname=postgres" : conninfo;
    const std::string seconds = format("{}", options.connecting.count());
    // "dbname" is expanded: a whole conninfo string may stand there. What comes before it is a
    // default, what comes after it is not the user's choice.
    const char* const names[] = {
        "keepalives_idle", "keepalives_interval", "keepalives_count", "dbname",
        "connect_timeout", "application_name",    "replication",      nullptr};
    const char* const values[] = {keepalive_idle,
                                  keepalive_interval,
                                  keepalive_count,
                                  target.c_str(),
                                  seconds.c_str(),
                                  "walden",
                                  is_replication ? "true" : nullptr,
                                  nullptr};
    handle_->connection = PQconnectdbParams(names, values, 1);
    if (handle_->connection == nullptr || PQstatus(handle_->connection) != CONNECTION_OK) {
        const char* const text = PQerrorMessage(handle_->connection);
        throw Error(ErrorKind::unavailable, first_line(text)).with_detail(detail_of(text));
    }
    PQsetNoticeReceiver(
        handle_->connection, [](void*, const PGresult*) {}, nullptr);
}

Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

void Connection::send(const std::string& statement) {
    if (PQsendQuery(handle_->connection, statement.c_str()) == 0)
        throw Error(ErrorKind::unavailable, first_line(PQerrorMessage(handle_->connection)));
}

Answer Connection::next_answer(const Waiting& waiting) {
    const auto deadline = Handle::deadline_of(waiting);
    while (PQisBusy(handle_->connection) != 0) handle_->await_input(waiting, deadline);
    const Result result(PQgetResult(handle_->connection));
    return to_answer(result.get(), handle_->connection);
}

Answer Connection::ask(const std::string& statement, const Waiting& waiting) {
    const auto deadline = Handle::deadline_of(waiting);
    send(statement);
    Answer last;
    // The next statement cannot be sent before nothing is left of this one.
    for (;;) {
        Waiting rest = waiting;
        if (rest.longest)
            rest.longest =
                std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        Answer answer = next_answer(rest);
        if (answer.kind == AnswerKind::end) return last;
        if (last.kind != AnswerKind::refused) last = std::move(answer);
    }
}

std::optional<ByteView> Connection::read_copy_data(const Waiting& waiting) {
    const auto deadline = Handle::deadline_of(waiting);
    for (;;) {
        char* data = nullptr;
        const int size = PQgetCopyData(handle_->connection, &data, 1);
        handle_->copy_data.reset(data);
        if (size > 0)
            return ByteView(reinterpret_cast<const std::byte*>(data),
                            static_cast<std::size_t>(size));
        // The server's own error comes with the next answer, as the end does.
        if (size < 0) return std::nullopt;
        handle_->await_input(waiting, deadline);
    }
}

bool Connection::is_lost() const {
    return PQstatus(handle_->connection) != CONNECTION_OK;
}

int Connection::backend_pid() const {
    return PQbackendPID(handle_->connection);
}

int Connection::server_version() const {
    return PQserverVersion(handle_->connection);
}

std::string Connection::quote(std::string_view text) const {
    const std::unique_ptr<char, LibpqDeleter> literal(
        PQescapeLiteral(handle_->connection, text.data(), text.size()));
    if (literal == nullptr)
        throw Error(ErrorKind::usage, first_line(PQerrorMessage(handle_->connection)));
    return literal.get();
}

}  // namespace walden::pg
