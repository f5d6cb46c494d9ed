#include "pg/backup_session.h"

#include "base/error.h"
#include "base/format.h"
#include "pg/connection.h"
#include "pg/query_fields.h"
#include "wal/number_text.h"

#include <utility>

namespace walden::pg {

namespace {

constexpr int version_15 = 150000;

/// The functions of the version, as SQL names them for privileges.
std::pair<std::string, std::string> functions_of(int version) {
    if (version >= version_15) return {"pg_backup_start(text, boolean)", "pg_backup_stop(boolean)"};
    return {"pg_start_backup(text, boolean, boolean)", "pg_stop_backup(boolean, boolean)"};
}

std::vector<Tablespace> ask_tablespaces(Connection& connection) {
    std::vector<Tablespace> tablespaces;
    for (const Row& row : ask_rows(
             connection,
             "SELECT oid, pg_catalog.pg_tablespace_location(oid) FROM pg_catalog.pg_tablespace "
             "WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY oid")) {
        const auto oid = wal::parse_number(row.at(0).value_or(""), 10);
        if (oid) tablespaces.push_back({.oid = *oid, .location = row.at(1).value_or("")});
    }
    return tablespaces;
}

constexpr const char* start_again =
    "The server forgets a backup whose session ends. Start the backup again.";

}  // namespace

/// What must not change while the backup runs, but the timeline.
struct BackupSession::Pulse {
    int backend_pid = 0;
    int version = 0;
    bool is_standby = false;
    bool has_full_page_writes = true;  ///< of the WAL up to the last checkpoint or restart point
    wal::TimelineId timeline = 0;
    std::string postmaster_start;
};

BackupSession::BackupSession(const std::string& conninfo)
    : connection_(std::make_unique<Connection>(conninfo, ConnectOptions{})) {
    // Twice: a pooler that lends server sessions out by transactions may show between the two.
    first_ = std::make_unique<Pulse>(feel_pulse());
    const Pulse second = feel_pulse();
    if (first_->backend_pid != connection_->backend_pid() ||
        second.backend_pid != first_->backend_pid ||
        first_->version != connection_->server_version())
        throw Error(ErrorKind::usage,
                    "the connection leads through a pooler, which may lend the session to others")
            .with_detail(format("Connected to process {} of version {}, answered by process {} of "
                                "version {}.",
                                connection_->backend_pid(), connection_->server_version(),
                                second.backend_pid, second.version))
            .with_hint("Let conninfo name the server itself.");
    prepare_session();
    require_rights();
    facts_.version = first_->version;
    facts_.is_standby = first_->is_standby;
    ask_facts();
}

BackupSession::BackupSession(BackupSession&&) noexcept = default;
BackupSession& BackupSession::operator=(BackupSession&&) noexcept = default;
BackupSession::~BackupSession() = default;

const ServerFacts& BackupSession::facts() const {
    return facts_;
}

void BackupSession::prepare_session() {
    std::string settings =
        "SELECT pg_catalog.set_config('search_path', 'pg_catalog', false)"
        // Paths are bytes, and come as they are only without a conversion.
        ", pg_catalog.set_config('client_encoding', "
        "pg_catalog.current_setting('server_encoding'), false)"
        ", pg_catalog.set_config('statement_timeout', '0', false)"
        ", pg_catalog.set_config('lock_timeout', '0', false)";
    if (first_->version >= 140000)
        settings += ", pg_catalog.set_config('idle_session_timeout', '0', false)";
    if (first_->version >= 170000)
        settings += ", pg_catalog.set_config('transaction_timeout', '0', false)";
    static_cast<void>(ask_rows(*connection_, settings));
}

void BackupSession::require_rights() {
    const auto [start, stop] = functions_of(first_->version);
    QueryFields fields(
        ask_rows(*connection_, format("SELECT current_user"
                                      ", has_function_privilege('pg_catalog.{}', 'EXECUTE')"
                                      ", has_function_privilege('pg_catalog.{}', 'EXECUTE')"
                                      ", pg_has_role('pg_read_all_settings', 'USAGE')"
                                      ", current_database(), quote_ident(current_user)",
                                      start, stop)));
    const std::string user = fields.text();
    const bool may_start = fields.flag();
    const bool may_stop = fields.flag();
    const bool may_read_settings = fields.flag();
    const std::string database = fields.text();
    const std::string role = fields.text();
    if (!may_start || !may_stop)
        throw Error(ErrorKind::denied,
                    format("role \"{}\" may not execute {}", user, may_start ? stop : start))
            .with_hint(format("GRANT EXECUTE ON FUNCTION {}, {} TO {}; in database \"{}\".", start,
                              stop, role, database));
    if (!may_read_settings)
        throw Error(ErrorKind::denied,
                    format("role \"{}\" may not see where the data directory is", user))
            .with_hint(format("GRANT pg_read_all_settings TO {};", role));
}

void BackupSession::ask_facts() {
    QueryFields fields(ask_rows(
        *connection_,
        "SELECT s.system_identifier, s.catalog_version_no, i.database_block_size, "
        "i.blocks_per_segment, i.bytes_per_wal_segment, i.data_page_checksum_version, "
        "current_setting('data_directory'), current_setting('config_file'), "
        "current_setting('hba_file'), current_setting('ident_file'), current_setting('wal_level'), "
        "current_setting('archive_mode') FROM pg_control_system() s, pg_control_init() i"));
    // SQL has no unsigned bigint.
    facts_.system_identifier = static_cast<std::uint64_t>(fields.number<std::int64_t>());
    facts_.catalog_version = fields.number<std::uint32_t>();
    facts_.page_size = fields.number<std::uint32_t>();
    facts_.pages_per_file = fields.number<std::uint32_t>();
    const auto segment_size = wal::SegmentSize::from_bytes(fields.number<std::uint32_t>());
    if (!segment_size)
        throw Error(ErrorKind::unavailable, "the server tells an impossible size of WAL segments");
    facts_.segment_size = *segment_size;
    facts_.has_data_checksums = fields.number<std::uint32_t>() != 0;
    facts_.data_directory = fields.text();
    for (int file = 0; file < 3; ++file) {
        std::string path = fields.text();
        if (!path.empty()) facts_.configuration_files.push_back(std::move(path));
    }
    facts_.wal_level = fields.text();
    facts_.archive_mode = fields.text();
}

BackupSession::Pulse BackupSession::feel_pulse() {
    // Qualified, since the first call is before search_path is set.
    QueryFields fields(ask_rows(*connection_,
                                "SELECT pg_catalog.pg_backend_pid(), "
                                "pg_catalog.current_setting('server_version_num'), "
                                "pg_catalog.pg_is_in_recovery(), c.full_page_writes, "
                                "greatest(c.timeline_id, r.min_recovery_end_timeline), "
                                "pg_catalog.pg_postmaster_start_time() "
                                "FROM pg_catalog.pg_control_checkpoint() c, "
                                "pg_catalog.pg_control_recovery() r"));
    Pulse pulse;
    pulse.backend_pid = fields.number<int>();
    pulse.version = fields.number<int>();
    pulse.is_standby = fields.flag();
    pulse.has_full_page_writes = fields.flag();
    pulse.timeline = fields.number<wal::TimelineId>();
    pulse.postmaster_start = fields.text();
    return pulse;
}

void BackupSession::require_same(const Pulse& now) const {
    if (now.backend_pid != first_->backend_pid || now.version != first_->version ||
        now.postmaster_start != first_->postmaster_start)
        throw Error(ErrorKind::unavailable, "the session of the backup is now another one")
            .with_detail(
                format("Process {} became process {}.", first_->backend_pid, now.backend_pid))
            .with_hint("Let conninfo name the server itself, not a pooler.");
    if (now.is_standby != first_->is_standby)
        throw Error(ErrorKind::unavailable, "the standby was promoted during the backup")
            .with_detail("A backup from a standby cannot go on beyond its promotion.")
            .with_hint("Start the backup again.");
    if (now.is_standby && !now.has_full_page_writes)
        throw Error(ErrorKind::usage, "the standby has replayed WAL without full page images")
            .with_detail("Pages that were copied while they were written cannot be repaired.")
            .with_hint(
                "Set full_page_writes = on on the primary, run CHECKPOINT there, and start "
                "the backup again.");
}

void BackupSession::keep_alive() {
    try {
        require_same(feel_pulse());
    } catch (Error& error) {
        if (!connection_->is_lost()) throw;
        throw Error(ErrorKind::unavailable,
                    "the session of the backup was lost: " + error.message())
            .with_hint(start_again);
    }
}

BackupStart BackupSession::start(const std::string& label, CheckpointPace pace,
                                 const std::function<void()>& watch) {
    require_backup_label_name(label);
    keep_alive();
    const bool is_new = facts_.version >= version_15;
    const std::string call = format(
        "{}({}, {}{})", is_new ? "pg_backup_start" : "pg_start_backup", connection_->quote(label),
        pace == CheckpointPace::fast ? "true" : "false", is_new ? "" : ", false");
    QueryFields fields(
        in_context([] { return "begin the backup on the server"; },
                   [&] { return ask_rows(*connection_, "SELECT " + call, {.watch = watch}); }));
    BackupStart start;
    start.redo = fields.lsn();
    const Pulse now = feel_pulse();
    require_same(now);
    start.timeline = now.timeline;
    start.tablespaces = ask_tablespaces(*connection_);
    return start;
}

BackupStop BackupSession::stop() {
    keep_alive();
    const char* const function =
        facts_.version >= version_15 ? "pg_backup_stop(false)" : "pg_stop_backup(false, false)";
    QueryFields fields(in_context(
        [] { return "end the backup on the server"; },
        [&] {
            return ask_rows(*connection_,
                            format("SELECT lsn, labelfile, spcmapfile FROM {}", function));
        }));
    BackupStop stop;
    stop.stop = fields.lsn();
    stop.label_text = fields.text();
    stop.tablespace_map_text = fields.text();
    const auto label = parse_backup_label(stop.label_text);
    if (!label) throw Error(ErrorKind::corrupt, "the server's backup_label is not understood");
    stop.label = *label;
    // A promotion from now on does no harm: both timelines hold `stop`.
    stop.timeline = feel_pulse().timeline;
    return stop;
}

}  // namespace walden::pg
