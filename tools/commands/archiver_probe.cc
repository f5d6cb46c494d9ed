#include "tools/commands/archiver_probe.h"

#include "base/format.h"

#include <charconv>
#include <string_view>

namespace walden::commands {

namespace {

using Clock = std::chrono::steady_clock;

/// pg_sleep in the server: the question returns when time has passed or the answer is there.
constexpr std::string_view pause = "SELECT pg_sleep(0.05)";
constexpr std::uint64_t failure_count_max = 3;

std::uint64_t failures(const pg::Server& server) {
    const std::string text =
        server.query("SELECT failed_count FROM pg_stat_archiver").value_or("0");
    std::uint64_t count = 0;
    std::from_chars(text.data(), text.data() + text.size(), count);
    return count;
}

/// Timeline histories sort behind all segments of older timelines, and say nothing of segments.
std::string archived_question(const std::string& segment) {
    return format(
        "SELECT 1 FROM pg_stat_archiver WHERE last_archived_wal !~ 'history$' "
        "AND left(last_archived_wal, 24) COLLATE \"C\" >= '{}'",
        segment);
}

}  // namespace

ArchiverProbe probe_archiver(const pg::Server& server, std::chrono::milliseconds deadline) {
    ArchiverProbe probe;
    if (server.query("SELECT pg_is_in_recovery()").value_or("t") != "f") return probe;
    const std::uint64_t failures_before = failures(server);
    const auto begin = Clock::now();
    // pg_switch_wal() does nothing at the beginning of a segment.
    static_cast<void>(server.query("SELECT pg_logical_emit_message(false, 'walden', 'check')"));
    probe.segment = server.query("SELECT pg_walfile_name(pg_switch_wal())").value_or("");
    const std::string question = archived_question(probe.segment);
    while (!probe.is_archived) {
        probe.is_archived = server.query(question).has_value();
        probe.failure_count = failures(server) - failures_before;
        if (probe.is_archived || probe.failure_count >= failure_count_max ||
            Clock::now() - begin > deadline)
            break;
        static_cast<void>(server.query(std::string(pause)));
    }
    probe.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    if (probe.failure_count > 0)
        probe.last_failed = server
                                .query(
                                    "SELECT last_failed_wal || ' at ' || last_failed_time FROM "
                                    "pg_stat_archiver")
                                .value_or("");
    return probe;
}

}  // namespace walden::commands
