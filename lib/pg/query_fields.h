// Answers of a server, asked for and read field by field. Private to lib/pg.
#pragma once

#include "base/error.h"
#include "base/format.h"
#include "pg/connection.h"
#include "wal/lsn.h"

#include <charconv>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace walden::pg {

/// Questions that take no time, and pg_backup_stop, which writes and syncs a little WAL. A standby
/// whose replay holds a lock on a catalog answers when the lock is gone.
inline constexpr std::chrono::minutes answer_time_max{10};

/// The rows that a statement answers with. Throws to_error() of a refusal, and Error(unavailable).
[[nodiscard]] std::vector<Row> ask_rows(Connection& connection, const std::string& statement,
                                        const Waiting& waiting = {.longest = answer_time_max});

/// Reads the fields of the first row one after the other. Throws Error(unavailable) for a row or a
/// field that is not there, or not what it should be.
class QueryFields {
public:
    explicit QueryFields(std::vector<Row> rows) {
        if (rows.empty()) throw Error(ErrorKind::unavailable, "the server answers with no row");
        row_ = std::move(rows[0]);
    }

    /// "" for NULL.
    std::string text() {
        if (next_ >= row_.size()) throw Error(ErrorKind::unavailable, "the answer lacks a column");
        return row_[next_++].value_or("");
    }

    bool flag() { return text() == "t"; }

    template <class Number>
    Number number() {
        const std::string field = text();
        Number value{};
        const char* const end = field.data() + field.size();
        const auto [rest, error] = std::from_chars(field.data(), end, value);
        if (error != std::errc() || rest != end)
            throw Error(ErrorKind::unavailable,
                        format("the server answers with \"{}\" instead of a number", field));
        return value;
    }

    wal::Lsn lsn() {
        const std::string field = text();
        const auto lsn = wal::parse_lsn(field);
        if (!lsn)
            throw Error(ErrorKind::unavailable,
                        format("the server answers with \"{}\" instead of an LSN", field));
        return *lsn;
    }

private:
    Row row_;
    std::size_t next_ = 0;
};

}  // namespace walden::pg
