#include "backup/backup_run.h"

#include "backup/change_finder.h"
#include "backup/file_backup.h"
#include "backup/page_images.h"
#include "backup/parents.h"
#include "backup/run_lock.h"
#include "backup/wal_wait.h"
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/random.h"
#include "pg/control_file.h"
#include "pg/data_files.h"
#include "pg/relation_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <optional>

namespace walden::backup {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds watch_interval{200};
constexpr std::chrono::seconds keep_alive_interval{10};
constexpr std::size_t abort_reason_size_max = 1000;
/// A backup of a disk that dies has other worries than a complete list.
constexpr std::size_t damaged_pages_max = 10'000;

std::int64_t now() {
    return static_cast<std::int64_t>(std::time(nullptr));
}

/// The bytes of global/pg_control; the server may be writing it.
Bytes read_control_bytes(const std::string& pgdata) {
    const std::string path = pgdata + "/global/pg_control";
    constexpr int attempts = 20;
    for (int attempt = 0; attempt < attempts; ++attempt) {
        auto bytes = read_file(path, 64 << 10);
        if (!bytes) break;
        if (pg::parse_control_file(*bytes)) return *std::move(bytes);
    }
    throw Error(ErrorKind::corrupt, format("\"{}\" is missing or damaged", path));
}

class Run {
public:
    Run(const vault::ClusterVault& vault, const BackupSettings& settings,
        const BackupObserver& observer)
        : vault_(vault),
          settings_(settings),
          observer_(observer),
          store_(vault.objects(), vault.layout()),
          session_(settings.conninfo) {}

    vault::BackupOutcome run() {
        require_cluster();
        const std::int64_t began = now();
        if (settings_.counts_first) all_bytes_ = count_bytes();
        start_ =
            session_.start(settings_.label, settings_.pace, [&] { tell(BackupPhase::checkpoint); });
        vault::BackupOutcome outcome = take(!settings_.reads_all);
        outcome.commit->began = began;
        outcome.commit->ended = now();
        return commit(outcome);
    }

private:
    void tell(BackupPhase phase, const FileBackupProgress& files = {},
              const std::string& waits_for = "") const {
        observer_.progress({.phase = phase,
                            .done_bytes = files.done_bytes,
                            .all_bytes = all_bytes_,
                            .stored_bytes = files.stored_bytes,
                            .waits_for = waits_for});
    }

    [[nodiscard]] const pg::ServerFacts& facts() const { return session_.facts(); }

    [[nodiscard]] std::string version_directory() const {
        return pg::tablespace_version_directory(facts().version / 10'000, facts().catalog_version);
    }

    void require_cluster() const {
        const auto control = pg::read_control_file(settings_.pgdata);
        if (!control)
            throw Error(ErrorKind::io, format("\"{}\" is no data directory", settings_.pgdata));
        if (control->system_identifier != facts().system_identifier)
            throw Error(
                ErrorKind::foreign,
                format("the server is system {}, \"{}\" is of system {}", facts().system_identifier,
                       settings_.pgdata, control->system_identifier))
                .with_hint("Correct conninfo, or pgdata in the configuration.");
    }

    [[nodiscard]] std::uint64_t count_bytes() const {
        pg::DataFileScan scan(settings_.pgdata, version_directory());
        std::uint64_t bytes = 0;
        while (const auto file = scan.next()) bytes += file->size;
        return bytes;
    }

    [[nodiscard]] Parents choose_parents() const {
        if (settings_.is_full) return {};
        return find_parents(store_, {.system_identifier = facts().system_identifier,
                                     .page_size = facts().page_size,
                                     .writer = settings_.writer});
    }

    /// Puts the intent, and sees that no parent was expired before it was there.
    Parents announce() {
        while (true) {
            Parents parents = choose_parents();
            const vault::BackupIntent intent{.id = vault::make_backup_id(now()),
                                             .system_identifier = facts().system_identifier,
                                             .start_lsn = start_.redo.value,
                                             .start_timeline = start_.timeline,
                                             .parents = parents.ids(),
                                             .writer = settings_.writer,
                                             .label = settings_.label,
                                             .pgdata = settings_.pgdata,
                                             .mode = vault::BackupMode::direct};
            if (!store_.put_intent(intent)) continue;
            id_ = intent.id;
            const bool is_expired =
                std::any_of(intent.parents.begin(), intent.parents.end(),
                            [&](const vault::BackupId& id) { return store_.find_tomb(id); });
            if (!is_expired) return parents;
            abort("a backup that it names was expired");
        }
    }

    /// Leaves word for whoever comes next. What cannot be told now he finds out.
    void abort(const std::string& reason) const noexcept {
        try {
            static_cast<void>(
                store_.settle({.id = id_,
                               .system_identifier = facts().system_identifier,
                               .writer = settings_.writer,
                               .index = written_index(store_, id_, facts().page_size),
                               .commit = std::nullopt,
                               .abort_reason = reason.substr(0, abort_reason_size_max)}));
        } catch (const std::exception&) {
        }
    }

    /// What need not be read, as far as WAL tells.
    ChangedFiles find_changed(const Parents& parents) const {
        if (parents.outcomes.empty() || !parents.outcomes.back().commit) return {};
        const vault::BackupCommit& parent = *parents.outcomes.back().commit;
        const bool had_checksums = parent.format.checksum_version != 0;
        if (parent.stop_timeline != start_.timeline ||
            had_checksums != facts().has_data_checksums || parent.redo_lsn > start_.redo.value) {
            observer_.note("everything is read: the backup before is of another line");
            return {};
        }
        const WalSource wal = wal_source(start_.timeline);
        auto changes = find_changes(wal, {parent.redo_lsn}, start_.redo, facts().pages_per_file);
        if (!changes.blocks) {
            observer_.note(format("everything is read: {}", changes.problem));
            return {};
        }
        // Without checksums, hint bits change and no record tells.
        const double sample = had_checksums ? settings_.sample : 0;
        return {*std::move(changes.blocks), parent.damaged_pages, sample,
                load_le<std::uint64_t>(random_array<8>().data())};
    }

    [[nodiscard]] WalSource wal_source(wal::TimelineId timeline) const {
        return {vault_, settings_.pgdata,
                WalSource::Line{.system_identifier = facts().system_identifier,
                                .timeline = timeline,
                                .segment_size = facts().segment_size}};
    }

    [[nodiscard]] FileBackupSettings file_settings() const {
        return {.pgdata = settings_.pgdata,
                .version_directory = version_directory(),
                .page_size = facts().page_size,
                .pages_per_file = facts().pages_per_file,
                .has_checksums = facts().has_data_checksums,
                .encoding = settings_.encoding,
                .worker_count = settings_.worker_count,
                .uploads_in_flight = settings_.uploads_in_flight,
                .rate_max = settings_.rate_max};
    }

    /// One attempt; another one that reads everything, should WAL turn out not to tell all.
    vault::BackupOutcome take(bool is_directed) {
        const Parents parents = announce();
        std::optional<FileBackup> files;
        try {
            files.emplace(store_, id_, file_settings(), parents,
                          is_directed ? find_changed(parents) : ChangedFiles());
            read(*files);
            const auto surprise = files->first_surprise();
            if (!surprise) return stop(*files, parents);
            observer_.warning(
                format("page {} of \"{}\" has changed since the last backup, and WAL "
                       "does not tell; everything is read",
                       surprise->page, surprise->path));
        } catch (const Error& error) {
            if (files) files->abandon();
            abort(error.message());
            throw;
        }
        files->abandon();
        files.reset();
        abort("WAL does not tell of every change");
        return take(false);
    }

    void read(FileBackup& files) {
        auto last_sign = Clock::now();
        files.read(watch_interval, [&](const FileBackupProgress& progress) {
            tell(BackupPhase::reading, progress);
            if (Clock::now() - last_sign < keep_alive_interval) return;
            last_sign = Clock::now();
            session_.keep_alive();
        });
    }

    vault::BackupOutcome stop(FileBackup& files, const Parents& parents) {
        // On a standby it tells how far replay must go: it is read after all that it is about.
        const Bytes control = read_control_bytes(settings_.pgdata);
        const pg::BackupStop stop = session_.stop();
        FileBackup::Result result = files.finish();
        wait_for_wal(vault_,
                     {.redo = stop.label.redo,
                      .stop = stop.stop,
                      .timeline = stop.timeline,
                      .segment_size = facts().segment_size,
                      .patience = settings_.wal_patience},
                     [&](const std::string& segment) { tell(BackupPhase::wal, {}, segment); });
        vault::BackupCommit commit = describe(stop, control);
        commit.usage = result.usage;
        commit.owners = std::move(result.owners);
        commit.counts = result.counts;
        commit.damaged_pages = find_damage(std::move(result.suspects), stop);
        if (!parents.outcomes.empty()) commit.parent = parents.outcomes.back().id;
        return {.id = id_,
                .system_identifier = facts().system_identifier,
                .writer = settings_.writer,
                .index = std::move(result.index),
                .commit = std::move(commit),
                .abort_reason = ""};
    }

    [[nodiscard]] std::vector<vault::DamagedPage> find_damage(std::vector<SuspectPage> suspects,
                                                              const pg::BackupStop& stop) const {
        if (suspects.empty()) return {};
        auto damaged = find_damaged(wal_source(stop.timeline), stop.label.redo, stop.stop,
                                    std::move(suspects), facts().pages_per_file);
        if (damaged.size() > damaged_pages_max) {
            observer_.warning(format("{} pages are damaged, of which {} are listed", damaged.size(),
                                     damaged_pages_max));
            damaged.resize(damaged_pages_max);
        }
        return damaged;
    }

    [[nodiscard]] vault::BackupCommit describe(const pg::BackupStop& stop,
                                               const Bytes& control) const {
        vault::BackupCommit commit;
        commit.start_lsn = start_.redo.value;
        commit.start_timeline = start_.timeline;
        commit.checkpoint_lsn = stop.label.checkpoint.value;
        commit.redo_lsn = stop.label.redo.value;
        commit.stop_lsn = stop.stop.value;
        commit.stop_timeline = stop.timeline;
        const auto parsed = pg::parse_control_file(control);
        commit.format = {.control_version = parsed ? parsed->control_version : 0,
                         .catalog_version = facts().catalog_version,
                         .major_version = static_cast<std::uint16_t>(facts().version / 10'000),
                         .page_size = facts().page_size,
                         .pages_per_file = facts().pages_per_file,
                         .segment_size = facts().segment_size.bytes(),
                         .checksum_version = facts().has_data_checksums ? 1U : 0U};
        commit.control_file = control;
        while (!commit.control_file.empty() && commit.control_file.back() == std::byte{0})
            commit.control_file.pop_back();
        commit.mode = vault::BackupMode::direct;
        commit.is_from_standby = facts().is_standby;
        commit.backup_label = stop.label_text;
        commit.tablespace_map = stop.tablespace_map_text;
        struct ::stat status = {};
        if (::stat(settings_.pgdata.c_str(), &status) == 0)
            commit.directory_mode = status.st_mode & 0777;
        for (const pg::Tablespace& tablespace : start_.tablespaces)
            commit.tablespaces.push_back({.oid = tablespace.oid, .path = tablespace.location});
        commit.label = settings_.label;
        return commit;
    }

    [[nodiscard]] vault::BackupOutcome commit(const vault::BackupOutcome& outcome) const {
        vault::BackupOutcome present = store_.settle(outcome);
        if (!present.commit)
            throw Error(ErrorKind::conflict, format("backup {} was aborted meanwhile: {}",
                                                    id_.text(), present.abort_reason))
                .with_detail(format("By {}.", present.writer.host));
        tell(BackupPhase::done);
        return present;
    }

    const vault::ClusterVault& vault_;
    const BackupSettings& settings_;
    const BackupObserver& observer_;
    vault::BackupStore store_;
    pg::BackupSession session_;
    pg::BackupStart start_;
    vault::BackupId id_;
    std::uint64_t all_bytes_ = 0;
};

}  // namespace

vault::BackupOutcome run_backup(const vault::ClusterVault& vault, const BackupSettings& settings,
                                const BackupObserver& observer) {
    const RunLock lock(settings.lock_path);
    return Run(vault, settings, observer).run();
}

}  // namespace walden::backup
