#include "agent/client.h"
#include "archive/ready_files.h"
#include "base/error.h"
#include "base/format.h"
#include "tools/cli/agent_place.h"
#include "tools/cli/json.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/recovery_report.h"
#include "tools/commands/target_report.h"
#include "tools/commands/text.h"

#include <ctime>
#include <memory>

namespace walden::commands {

namespace {

struct StatusOptions {
    bool is_prometheus = false;
    std::string conninfo;  ///< of a recovering server; empty: as postmaster.pid says
};

constexpr std::chrono::seconds status_deadline{5};

struct Report {
    bool is_running = false;
    std::string note;        ///< why the agent does not tell, if one is there
    std::string state_note;  ///< if state_dir cannot be used
    agent::AgentStatus status;
    TargetReport target;

    /// How long a segment's replay takes, 0 if that is not known.
    [[nodiscard]] std::uint64_t replay_us() const { return status.recovery().replay_us; }
};

/// What can be known without an agent.
agent::AgentStatus look(const cli::Config& config) {
    const std::string wal_directory = config.pgdata + "/pg_wal";
    const archive::Backlog backlog =
        archive::measure_backlog(wal_directory, archive::list_ready_files(wal_directory));
    agent::AgentStatus status;
    status.archive.ready_count = backlog.count;
    status.archive.ready_oldest_age = backlog.oldest_age;
    return status;
}

Report ask(const cli::Config& config) {
    // Not started for the sake of this question.
    const agent::AskResult result =
        agent::ask({.caller = cli::agent_caller(config), .type = agent::MessageType::status},
                   {.socket_path = cli::agent_socket_path(config),
                    .deadline = agent::Clock::now() + status_deadline,
                    .user = cli::agent_user(config)});
    Report report;
    if (const std::string place = cli::state_directory(config); place != config.state_dir)
        report.state_note = format(
            "state_dir \"{}\" cannot be written; \"{}\" is used. \"walden check\" tells "
            "what to do",
            config.state_dir, place);
    if (result.outcome == agent::AskOutcome::answered) {
        if (const auto status = agent::decode_status(result.body)) {
            report.is_running = true;
            report.status = *status;
            return report;
        }
        report.note = "the agent's answer is not understood";
    } else if (result.outcome != agent::AskOutcome::absent) {
        report.note = result.text;
    }
    report.status = look(config);
    return report;
}

std::string moment_text(std::uint64_t unix_seconds) {
    return time_text(static_cast<std::int64_t>(unix_seconds));
}

void print_agent(const Report& report) {
    const agent::AgentStatus& agent = report.status;
    const archive::LookAheadStatus& s = agent.archive;
    if (report.is_running)
        print_line(format("agent       pid {}, walden {}, since {}", agent.pid, agent.version,
                          moment_text(agent.started_at)));
    else
        print_line(format("agent       {}", report.note.empty() ? "none is running" : report.note));
    if (!report.state_note.empty()) print_line(format("state       {}", report.state_note));
    if (s.ready_count == 0)
        print_line("backlog     none");
    else
        print_line(format("backlog     {} files, the oldest for {}", s.ready_count,
                          age_text(s.ready_oldest_age)));
    if (!report.is_running) return;
    print_line(format("            {:+} files an hour; {} of them durable and not asked for yet",
                      s.ready_growth, s.ahead_count));
    print_line(format("in flight   {} files, {} for their contents, {} resident", s.in_flight,
                      size_text(s.memory_in_use), size_text(agent.memory_resident)));
    print_line(format("archived    {} files ({} were there), {} as {}", s.archived_count,
                      s.present_count, size_text(s.plain_size), size_text(s.stored_size)));
    if (s.fallback_count > 0)
        print_line(format("not as WAL  {}, the last {}", count_text(s.fallback_count, "segment"),
                          s.last_fallback));
    print_line(
        format("last minute {} files, {}/s", s.recent_count, size_text(s.recent_plain_size / 60)));
    if (s.last_archived_at != 0)
        print_line(
            format("last        {} at {}", s.last_archived, moment_text(s.last_archived_at)));
    print_line(format("failures    {}, {} calls of the store tried again", s.failure_count,
                      s.retry_count));
    if (!s.last_failure.empty())
        print_line(format("last error  {}: {}", moment_text(s.last_failure_at), s.last_failure));
    if (agent.declined_count > 0)
        print_line(format("not served  {}, the last: {}",
                          count_text(agent.declined_count, "question"), agent.last_declined));
    print_recovery(agent.recovery(), report.target);
    // With one, it is plain which.
    for (const agent::RecoveryStatus& one : agent.recoveries)
        if (agent.recoveries.size() > 1)
            print_line(format(
                "server      \"{}\" was given {} last", one.data_directory,
                one.prefetch.last_delivered.empty() ? "nothing" : one.prefetch.last_delivered));
}

void print_text(const Report& report) {
    print_agent(report);
    print_target(report.target, report.replay_us());
}

/// null for what has never been.
cli::Json moment_json(std::uint64_t unix_seconds) {
    return unix_seconds == 0 ? cli::Json()
                             : cli::Json(json_time(static_cast<std::int64_t>(unix_seconds)));
}

void print_json(const Report& report) {
    const agent::AgentStatus& agent = report.status;
    const archive::LookAheadStatus& s = agent.archive;
    cli::Json json = {{"agent", report.is_running}};
    if (!report.note.empty()) json["note"] = report.note;
    if (!report.state_note.empty()) json["state_note"] = report.state_note;
    json["ready"] = {{"count", s.ready_count}, {"oldest_age_seconds", s.ready_oldest_age}};
    if (report.is_running) {
        json["ready"]["growth_per_hour"] = s.ready_growth;
        json["ready"]["durable"] = s.ahead_count;
        json["version"] = agent.version;
        json["pid"] = agent.pid;
        json["started_at"] = moment_json(agent.started_at);
        json["in_flight"] = s.in_flight;
        json["memory_in_use"] = s.memory_in_use;
        json["memory_resident"] = agent.memory_resident;
        json["archived"] = {
            {"count", s.archived_count},  {"present", s.present_count},
            {"plain_size", s.plain_size}, {"stored_size", s.stored_size},
            {"last", s.last_archived},    {"last_at", moment_json(s.last_archived_at)}};
        json["not_as_wal"] = {{"count", s.fallback_count}, {"last", s.last_fallback}};
        json["last_minute"] = {{"count", s.recent_count}, {"plain_size", s.recent_plain_size}};
        json["failures"] = {{"count", s.failure_count},
                            {"retries", s.retry_count},
                            {"last", s.last_failure},
                            {"last_at", moment_json(s.last_failure_at)}};
        json["declined"] = {{"count", agent.declined_count}, {"last", agent.last_declined}};
        json["recovery"] = recovery_json(agent.recovery());
        json["recoveries"] = cli::Json::array();
        for (const agent::RecoveryStatus& one : agent.recoveries) {
            cli::Json item = recovery_json(one.prefetch);
            item["data_directory"] = one.data_directory;
            json["recoveries"].push_back(std::move(item));
        }
    }
    json["recovery_target"] = target_json(report.target, report.replay_us());
    cli::print_json(json);
}

/// The text format 0.0.4 of Prometheus, for the node exporter's textfile collector.
void print_prometheus(const Report& report, const std::string& cluster) {
    const agent::AgentStatus& agent = report.status;
    const archive::LookAheadStatus& s = agent.archive;
    const auto metric = [&](std::string_view name, std::string_view type, std::string_view help,
                            const auto& value) {
        print_line(format("# HELP walden_{} {}", name, help));
        print_line(format("# TYPE walden_{} {}", name, type));
        print_line(format("walden_{}{{cluster=\"{}\"}} {}", name, cluster, value));
    };
    metric("agent_up", "gauge", "Whether the agent answers.", report.is_running ? 1 : 0);
    metric("ready_files", "gauge", "Files that PostgreSQL wants archived.", s.ready_count);
    metric("ready_oldest_age_seconds", "gauge", "Since when the oldest of them has been waiting.",
           s.ready_oldest_age);
    print_target_metrics(report.target, report.replay_us(), metric);
    if (!report.is_running) return;
    metric("ready_growth_per_hour", "gauge", "Growth of the backlog over the last minutes.",
           s.ready_growth);
    metric("ahead_files", "gauge", "Durable files that PostgreSQL has not asked for yet.",
           s.ahead_count);
    metric("in_flight_files", "gauge", "Files being archived.", s.in_flight);
    metric("content_memory_bytes", "gauge", "Memory reserved for their contents.", s.memory_in_use);
    metric("resident_memory_bytes", "gauge", "Memory of the agent.", agent.memory_resident);
    metric("archived_files_total", "counter", "Files archived.", s.archived_count);
    metric("present_files_total", "counter", "Of these, files that were in the store already.",
           s.present_count);
    metric("archived_plain_bytes_total", "counter", "Their size.", s.plain_size);
    metric("archived_stored_bytes_total", "counter", "Their size in the store.", s.stored_size);
    metric("not_as_wal_total", "counter", "Segments that the WAL codec did not take.",
           s.fallback_count);
    metric("failures_total", "counter", "Files that could not be archived.", s.failure_count);
    metric("store_retries_total", "counter", "Calls of the store that were tried again.",
           s.retry_count);
    metric("last_archived_timestamp_seconds", "gauge", "When a file was archived last.",
           s.last_archived_at);
    metric("last_failure_timestamp_seconds", "gauge", "When a file could not be archived last.",
           s.last_failure_at);
    print_recovery_metrics(agent.recovery(), metric);
}

int status(const cli::Common& common, const StatusOptions& options) {
    const cli::Config config = cli::read_config(common.config_path);
    Report report = ask(config);
    report.target = find_target(config, options.conninfo);
    if (options.is_prometheus)
        print_prometheus(report, config.cluster);
    else if (common.is_json())
        print_json(report);
    else
        print_text(report);
    return 0;
}

}  // namespace

void add_status(const cli::Command& parent) {
    const auto options = std::make_shared<StatusOptions>();
    const cli::Command command = parent.command(
        "status", "Show backlog, rates and errors of archiving, and how far a recovery is",
        [options](const cli::Common& common) { return status(common, *options); });
    command.flag("--prometheus", options->is_prometheus, "Print metrics for Prometheus instead");
    command.option("--conninfo", options->conninfo,
                   "How to connect to a recovering server, as for psql; else as its "
                   "postmaster.pid says");
}

}  // namespace walden::commands
