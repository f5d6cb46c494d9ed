#include "pg/base_backup_protocol.h"

#include "base/error.h"
#include "base/format.h"
#include "pg/connection.h"
#include "pg/control_file.h"
#include "pg/query_fields.h"
#include "pg/tar_reader.h"
#include "wal/number_text.h"

#include <optional>
#include <utility>

namespace walden::pg {

namespace {

constexpr int version_15 = 150000;
constexpr std::uint32_t rate_min_kb = 32;
constexpr std::uint32_t rate_max_kb = 1 << 20;
constexpr std::size_t control_file_size_max = 64 << 10;

/// The replication grammar knows '' and nothing else; E'' would be a syntax error.
std::string quote_literal(std::string_view text) {
    std::string literal = "'";
    for (const char byte : text) literal += byte == '\'' ? "''" : std::string(1, byte);
    return literal + "'";
}

/// "8192", "16MB", "1GB" in bytes: what SHOW says about the sizes of pages and files.
std::uint64_t parse_size(const std::string& text) {
    const auto unit = text.find_first_not_of("0123456789");
    const auto number = wal::parse_number(std::string_view(text).substr(0, unit), 10);
    const std::string name = unit == std::string::npos ? "" : text.substr(unit);
    const int shift = name == "kB" ? 10 : name == "MB" ? 20 : name == "GB" ? 30 : 0;
    if (!number || (shift == 0 && !name.empty() && name != "B"))
        throw Error(ErrorKind::unavailable, format("the server tells a size of \"{}\"", text));
    return std::uint64_t{*number} << shift;
}

std::string show(Connection& connection, const std::string& name) {
    return QueryFields(ask_rows(connection, "SHOW " + name)).text();
}

RemoteServer ask_server(Connection& connection) {
    RemoteServer server;
    server.version = connection.server_version();
    QueryFields system(ask_rows(connection, "IDENTIFY_SYSTEM"));
    server.system_identifier = system.number<std::uint64_t>();
    server.timeline = system.number<wal::TimelineId>();
    const std::uint64_t page_size = parse_size(show(connection, "block_size"));
    const std::uint64_t file_size = parse_size(show(connection, "segment_size"));
    const auto segment_size =
        wal::SegmentSize::from_bytes(parse_size(show(connection, "wal_segment_size")));
    if (page_size == 0 || !segment_size)
        throw Error(ErrorKind::unavailable, "the server tells impossible sizes of its files");
    server.page_size = static_cast<std::uint32_t>(page_size);
    server.pages_per_file = static_cast<std::uint32_t>(file_size / page_size);
    server.segment_size = *segment_size;
    server.has_data_checksums = show(connection, "data_checksums") == "on";
    const auto mode = wal::parse_number(show(connection, "data_directory_mode"), 8);
    server.directory_mode = mode.value_or(0700);
    return server;
}

/// The next answer, which must be of that kind.
Answer expect(Connection& connection, AnswerKind kind, const Waiting& waiting) {
    Answer answer = connection.next_answer(waiting);
    if (answer.kind == AnswerKind::refused) throw to_error(answer.refusal);
    if (answer.kind != kind)
        throw Error(ErrorKind::unavailable, "the server answers BASE_BACKUP out of order");
    return answer;
}

/// An archive that the server announces; none: the data directory's.
using Archive = std::optional<Tablespace>;

void begin(const Archive& archive, ReceivedFiles& files) {
    if (archive)
        files.begin_tablespace(*archive);
    else
        files.begin_data_directory();
}

/// Rows of oid, location and size in KiB; the data directory's has no oid. In the server's order.
std::vector<Archive> read_archives(const std::vector<Row>& rows, RemoteStart& start) {
    std::vector<Archive> archives;
    for (const Row& row : rows) {
        QueryFields fields({row});
        const std::string oid = fields.text();
        const std::string location = fields.text();
        const std::string size = fields.text();
        start.estimated_bytes += std::uint64_t{wal::parse_number(size, 10).value_or(0)} << 10;
        if (oid.empty()) {
            archives.emplace_back();
            continue;
        }
        const auto number = wal::parse_number(oid, 10);
        if (!number)
            throw Error(ErrorKind::unavailable,
                        format("the server names a tablespace \"{}\"", oid));
        archives.emplace_back(Tablespace{.oid = *number, .location = location});
        start.tablespaces.push_back(*archives.back());
    }
    return archives;
}

/// Up to the NUL, which is taken off as well.
std::string_view take_text(ByteView& message) {
    const std::string_view text = as_text(message);
    const auto end = text.find('\0');
    if (end == std::string_view::npos)
        throw Error(ErrorKind::corrupt, "the server names an archive without end");
    message = message.subspan(end + 1);
    return text.substr(0, end);
}

/// The archive called "base.tar" or "<oid>.tar", which must be among those announced.
const Archive& find_archive(const std::vector<Archive>& archives, std::string_view name) {
    for (const Archive& archive : archives)
        if (name == (archive ? format("{}.tar", archive->oid) : "base.tar")) return archive;
    throw Error(ErrorKind::corrupt, "the server sends an archive that it did not announce");
}

/// The manifest, once it begins; the archives are over then.
class Manifest {
public:
    explicit Manifest(ReceivedFiles& files)
        : files_(files), reader_([this](const ManifestFile& file) { files_.compare(file); }) {
        files_.end_archives();
    }

    void feed(ByteView bytes) { reader_.feed(bytes); }

    void finish(const RemoteServer& server) {
        const ManifestSummary summary = reader_.finish();
        files_.end_manifest();
        if (summary.system_identifier.value_or(server.system_identifier) !=
            server.system_identifier)
            throw Error(ErrorKind::foreign, "the backup manifest is of another cluster");
    }

private:
    ReceivedFiles& files_;
    ManifestReader reader_;
};

RemoteStop to_stop(const ReceivedFiles& files, const std::vector<Row>& rows) {
    RemoteStop stop;
    QueryFields fields(rows);
    stop.stop = fields.lsn();
    stop.timeline = fields.number<wal::TimelineId>();
    stop.label_text = files.label_text();
    stop.tablespace_map_text = files.tablespace_map_text();
    stop.control_file = to_bytes(files.control_file());
    const auto label = parse_backup_label(stop.label_text);
    if (!label) throw Error(ErrorKind::corrupt, "the server's backup_label is not understood");
    stop.label = *label;
    if (stop.control_file.size() > control_file_size_max || !parse_control_file(stop.control_file))
        throw Error(ErrorKind::corrupt, "the server sent a pg_control whose CRC is wrong")
            .with_detail("It may have been read while the server wrote it.")
            .with_hint("Start the backup again.");
    return stop;
}

}  // namespace

std::string base_backup_statement(int version, const BaseBackupOptions& options) {
    const bool is_new = version >= version_15;
    const bool is_fast = options.pace == CheckpointPace::fast;
    const std::string label = quote_literal(options.label);
    std::string rate;
    if (options.rate_max_kb != 0)
        rate = format("{}MAX_RATE {}", is_new ? ", " : " ", options.rate_max_kb);
    if (is_new)
        return format(
            "BASE_BACKUP (LABEL {}, CHECKPOINT '{}', PROGRESS true, WAIT false, "
            "TABLESPACE_MAP true, VERIFY_CHECKSUMS false, MANIFEST 'yes', "
            "MANIFEST_CHECKSUMS 'CRC32C', TARGET 'client'{})",
            label, is_fast ? "fast" : "spread", rate);
    return format(
        "BASE_BACKUP LABEL {}{} PROGRESS NOWAIT TABLESPACE_MAP NOVERIFY_CHECKSUMS "
        "MANIFEST 'yes' MANIFEST_CHECKSUMS 'CRC32C'{}",
        label, is_fast ? " FAST" : "", rate);
}

RemoteBackup::RemoteBackup(const std::string& conninfo)
    : connection_(
          std::make_unique<Connection>(conninfo, ConnectOptions{.dialect = Dialect::replication})),
      server_(ask_server(*connection_)) {}

RemoteBackup::RemoteBackup(RemoteBackup&&) noexcept = default;
RemoteBackup& RemoteBackup::operator=(RemoteBackup&&) noexcept = default;
RemoteBackup::~RemoteBackup() = default;

const RemoteServer& RemoteBackup::server() const {
    return server_;
}

RemoteStop RemoteBackup::take(const BaseBackupOptions& options, BackupFileVisitor& visitor,
                              const std::function<void(const RemoteStart&)>& on_start,
                              const std::function<void()>& watch) {
    require_backup_label_name(options.label);
    if (options.rate_max_kb != 0 &&
        (options.rate_max_kb < rate_min_kb || options.rate_max_kb > rate_max_kb))
        throw Error(ErrorKind::usage, format("a server limits the rate to {} to {} KiB a second",
                                             rate_min_kb, rate_max_kb));
    const Waiting waiting{.watch = watch};
    connection_->send(base_backup_statement(server_.version, options));
    QueryFields begin(expect(*connection_, AnswerKind::rows, waiting).rows);
    const wal::Lsn redo = begin.lsn();
    const auto timeline = begin.number<wal::TimelineId>();
    RemoteStart start{.redo = redo, .timeline = timeline, .tablespaces = {}};
    const auto archives =
        read_archives(expect(*connection_, AnswerKind::rows, waiting).rows, start);
    on_start(start);

    ReceivedFiles files(visitor);
    const std::vector<Row> end = server_.version >= version_15
                                     ? receive_typed(files, archives, watch)
                                     : receive_each(files, archives, watch);
    static_cast<void>(expect(*connection_, AnswerKind::done, waiting));
    RemoteStop stop = to_stop(files, end);
    if (stop.label.redo != redo || stop.label.timeline != timeline)
        throw Error(ErrorKind::corrupt, "the server's backup_label is of another backup");
    return stop;
}

std::vector<Row> RemoteBackup::receive_typed(ReceivedFiles& files, const Archives& archives,
                                             const std::function<void()>& watch) {
    const Waiting waiting{.watch = watch};
    static_cast<void>(expect(*connection_, AnswerKind::copy_out, waiting));
    std::optional<TarReader> archive;
    std::optional<Manifest> manifest;
    while (auto message = connection_->read_copy_data(waiting)) {
        const char type = static_cast<char>(message->front());
        ByteView body = message->subspan(1);
        if (type == 'd' && manifest) {
            manifest->feed(body);
        } else if (type == 'd' && archive) {
            archive->feed(body);
        } else if (type == 'n' && !manifest) {
            if (archive) archive->finish();
            begin(find_archive(archives, take_text(body)), files);
            archive.emplace(files);
        } else if (type == 'm' && archive && !manifest) {
            archive->finish();
            manifest.emplace(files);
        } else if (type != 'p') {
            throw Error(ErrorKind::corrupt, "the server sends a message that is out of place");
        }
    }
    // First the answer: an end that comes too early has its reason there.
    Answer end = expect(*connection_, AnswerKind::rows, waiting);
    if (!manifest) throw Error(ErrorKind::corrupt, "the server sent no backup manifest");
    manifest->finish(server_);
    return std::move(end.rows);
}

std::vector<Row> RemoteBackup::receive_each(ReceivedFiles& files, const Archives& archives,
                                            const std::function<void()>& watch) {
    const Waiting waiting{.watch = watch};
    static_cast<void>(expect(*connection_, AnswerKind::copy_out, waiting));
    for (const Archive& announced : archives) {
        begin(announced, files);
        TarReader archive(files);
        while (const auto piece = connection_->read_copy_data(waiting)) archive.feed(*piece);
        static_cast<void>(expect(*connection_, AnswerKind::copy_out, waiting));
        archive.finish();
    }
    Manifest manifest(files);
    while (const auto piece = connection_->read_copy_data(waiting)) manifest.feed(*piece);
    Answer end = expect(*connection_, AnswerKind::rows, waiting);
    manifest.finish(server_);
    return std::move(end.rows);
}

}  // namespace walden::pg
