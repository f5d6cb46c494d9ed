// The door to libpq: one connection. Private to lib/pg; others ask pg/server or what is built on
// it.
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::pg {

enum class Dialect : std::uint8_t {
    sql,
    replication,  ///< a WAL sender without a database: IDENTIFY_SYSTEM, BASE_BACKUP, SHOW
};

struct ConnectOptions {
    std::chrono::seconds connecting{10};  ///< libpq waits for at least two
    Dialect dialect = Dialect::sql;
};

/// How long an answer is waited for.
struct Waiting {
    std::optional<std::chrono::milliseconds> longest{};  ///< nullopt: as long as it takes
    /// Called about once a second while the server is silent; what it throws ends the wait, and the
    /// connection is of no use any more.
    std::function<void()> watch{};
};

/// A row in the text format; nullopt is NULL.
using Row = std::vector<std::optional<std::string>>;

/// An error message of the server (errcodes.txt), or of libpq, which has no sqlstate.
struct Refusal {
    std::string sqlstate;
    std::string message;  ///< one line, as the server words it
    std::string detail{};
    std::string hint{};
};

/// The Error of a refusal: denied for missing rights, usage for what is refused again when it is
/// asked again, unavailable for the rest.
[[nodiscard]] Error to_error(const Refusal& refusal);

enum class AnswerKind : std::uint8_t {
    end,       ///< nothing is left of what was sent
    rows,      ///< a result with rows, maybe none
    done,      ///< a command without rows
    copy_out,  ///< read_copy_data() is next
    refused,
};

struct Answer {
    AnswerKind kind = AnswerKind::end;
    std::vector<Row> rows{};
    Refusal refusal{};
};

/// One connection; one thread at a time. What the server notes beside its answers (WARNING, NOTICE)
/// is dropped.
class Connection {
public:
    /// `conninfo` as libpq has it; empty: PGHOST and the like. Throws Error(unavailable) with
    /// libpq's text, and as detail what the server added to it.
    Connection(const std::string& conninfo, const ConnectOptions& options);
    Connection(Connection&&) noexcept;
    Connection& operator=(Connection&&) noexcept;
    ~Connection();

    /// Sends one statement and returns its answer: rows, done or refused, the last if there are
    /// several. Throws Error(unavailable) if none came in time, and what the watch throws.
    [[nodiscard]] Answer ask(const std::string& statement, const Waiting& waiting = {});

    /// Sends a statement whose answers are taken one by one. Throws Error(unavailable).
    void send(const std::string& statement);

    /// The next answer of what was sent. Throws like ask().
    [[nodiscard]] Answer next_answer(const Waiting& waiting = {});

    /// After copy_out: the next message, valid until the next call; nullopt at the end of this
    /// COPY, next_answer() tells how it ended. Throws like ask().
    [[nodiscard]] std::optional<ByteView> read_copy_data(const Waiting& waiting = {});

    /// Whether the connection broke: no further statement can succeed.
    [[nodiscard]] bool is_lost() const;

    /// The process id that the server gave when it was connected to, not asked again.
    [[nodiscard]] int backend_pid() const;

    /// 150020 for 15.20, of when it was connected to.
    [[nodiscard]] int server_version() const;

    /// `text` as a literal of SQL, with its quotes. Throws Error(usage) if it is no text in the
    /// connection's encoding.
    [[nodiscard]] std::string quote(std::string_view text) const;

private:
    struct Handle;
    std::unique_ptr<Handle> handle_;
};

}  // namespace walden::pg
