#include "backup/backup_run.h"

#include "backup/parents.h"
#include "backup/run_lock.h"
#include "backup/wal_wait.h"
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "pg/control_file.h"
#include "pg/data_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>

namespace walden::backup {

namespace {

constexpr std::chrono::milliseconds watch_interval{200};
constexpr std::chrono::seconds keep_alive_interval{10};

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
        if (!pg::parse_control_file(*bytes)) continue;
        return *std::move(bytes);
    }
    throw Error(ErrorKind::corrupt, format("\"{}\" is missing or damaged", path));
}

vault::BackupFileType type_of(pg::DataFileKind kind) {
    switch (kind) {
        case pg::DataFileKind::directory: return vault::BackupFileType::directory;
        case pg::DataFileKind::file: return vault::BackupFileType::file;
        case pg::DataFileKind::tablespace_link: return vault::BackupFileType::tablespace_link;
        case pg::DataFileKind::other_link: return vault::BackupFileType::other_link;
    }
    return vault::BackupFileType::file;
}

ScannedFile as_scanned(pg::DataFile file, const std::string& pgdata, std::uint32_t pages_per_file) {
    ScannedFile scanned;
    scanned.path = format("{}/{}", pgdata, file.path);
    const std::string name = base_name(file.path);
    scanned.is_required = name == "PG_VERSION" || name == "pg_filenode.map";
    scanned.entry.type = type_of(file.kind);
    scanned.entry.path = std::move(file.path);
    scanned.entry.mode = file.mode;
    scanned.entry.target = std::move(file.target);
    if (file.kind == pg::DataFileKind::file) {
        scanned.entry.size = file.size;
        scanned.entry.modified = file.modified;
    }
    if (file.relation) {
        scanned.entry.is_relation = true;
        scanned.first_block = file.relation->segment * pages_per_file;
    }
    return scanned;
}

class Run {
public:
    Run(const vault::ClusterVault& vault, const BackupSettings& settings,
        const ObserveBackup& observe)
        : vault_(vault),
          settings_(settings),
          observe_(observe),
          store_(vault.objects(), vault.layout()),
          session_(settings.conninfo) {}

    vault::BackupOutcome run() {
        require_cluster();
        const std::int64_t began = now();
        parents_ = choose_parents();
        const auto start =
            session_.start(settings_.label, settings_.pace, [&] { tell(BackupPhase::checkpoint); });
        announce(start);
        vault::BackupOutcome outcome;
        try {
            outcome = read_and_stop(start);
        } catch (const Error& error) {
            abort(error.message());
            throw;
        }
        outcome.commit->began = began;
        outcome.commit->ended = now();
        return commit(outcome);
    }

private:
    void tell(BackupPhase phase, const std::string& waits_for = "") const {
        observe_({.phase = phase,
                  .done_bytes = reading_.done_bytes,
                  .seen_bytes = seen_bytes_,
                  .stored_bytes = stored_bytes_,
                  .waits_for = waits_for});
    }

    void require_cluster() const {
        const auto control = pg::read_control_file(settings_.pgdata);
        if (!control)
            throw Error(ErrorKind::io, format("\"{}\" is no data directory", settings_.pgdata));
        if (control->system_identifier != session_.facts().system_identifier)
            throw Error(ErrorKind::foreign,
                        format("the server is system {}, \"{}\" is of system {}",
                               session_.facts().system_identifier, settings_.pgdata,
                               control->system_identifier))
                .with_hint("Correct conninfo, or pgdata in the configuration.");
    }

    [[nodiscard]] std::uint32_t page_size() const { return session_.facts().page_size; }

    [[nodiscard]] Parents choose_parents() const {
        if (settings_.is_full) return {};
        return find_parents(store_, {.system_identifier = session_.facts().system_identifier,
                                     .page_size = page_size(),
                                     .writer = settings_.writer});
    }

    /// Puts the intent, and sees that no parent was expired before it was there.
    void announce(const pg::BackupStart& start) {
        while (true) {
            const vault::BackupIntent intent{
                .id = vault::make_backup_id(now()),
                .system_identifier = session_.facts().system_identifier,
                .start_lsn = start.redo.value,
                .start_timeline = start.timeline,
                .parents = parents_.ids(),
                .writer = settings_.writer,
                .label = settings_.label,
                .pgdata = settings_.pgdata,
                .mode = vault::BackupMode::direct};
            if (!store_.put_intent(intent)) continue;
            id_ = intent.id;
            const bool is_expired =
                std::any_of(intent.parents.begin(), intent.parents.end(),
                            [&](const vault::BackupId& id) { return store_.find_tomb(id); });
            if (!is_expired) return;
            abort("a backup that it names was expired");
            parents_ = choose_parents();
        }
    }

    /// Leaves word for whoever comes next. What cannot be told now he finds out.
    void abort(const std::string& reason) const noexcept {
        try {
            static_cast<void>(
                store_.settle({.id = id_,
                               .system_identifier = session_.facts().system_identifier,
                               .writer = settings_.writer,
                               .index = written_,
                               .commit = std::nullopt,
                               .abort_reason = reason.substr(0, 1000)}));
        } catch (const std::exception&) {
        }
    }

    /// The next one of the scan but pg_control, which is read last.
    [[nodiscard]] std::optional<ScannedFile> next_file(pg::DataFileScan& scan) const {
        auto file = scan.next();
        if (file && file->path == "global/pg_control") file = scan.next();
        if (!file) return std::nullopt;
        return as_scanned(*std::move(file), settings_.pgdata, session_.facts().pages_per_file);
    }

    void read_files(UploadQueue& uploads, vault::PackWriter& packs, MapWriter& maps) {
        vault::SectionReader sections(store_, 2);
        reading_.store = &store_;
        reading_.parents = &sections;
        reading_.packs = &packs;
        reading_.page_size = page_size();
        reading_.has_checksums = session_.facts().has_data_checksums;
        reading_.encoding = settings_.encoding;
        reading_.left_packs = known_packs_.left;
        const pg::ServerFacts& facts = session_.facts();
        pg::DataFileScan scan(settings_.pgdata, pg::tablespace_version_directory(
                                                    facts.version / 10'000, facts.catalog_version));
        WorkSource source([&] { return next_file(scan); }, parents_.open(store_, page_size()),
                          page_size());
        ParallelRead crew(reading_, source, maps, settings_.worker_count);
        auto last_sign = std::chrono::steady_clock::now();
        crew.run(watch_interval, [&] {
            stored_bytes_ = uploads.stored_bytes();
            seen_bytes_ = crew.seen_bytes();
            tell(BackupPhase::reading);
            if (std::chrono::steady_clock::now() - last_sign < keep_alive_interval) return;
            last_sign = std::chrono::steady_clock::now();
            session_.keep_alive();
        });
    }

    vault::BackupOutcome read_and_stop(const pg::BackupStart& start) {
        known_packs_ = find_packs(store_, parents_);
        UploadQueue uploads(vault_.storage(), settings_.uploads_in_flight);
        const auto upload = [&](std::string key, Bytes object) {
            uploads.put(std::move(key), std::move(object));
        };
        vault::PackWriter packs(store_, id_, upload);
        MapWriter maps(store_, id_, page_size(), upload);
        read_files(uploads, packs, maps);
        vault::BackupCommit commit;
        // On a standby it tells how far replay must go: it is read after all that it is about.
        commit.control_file = read_control_bytes(settings_.pgdata);
        const pg::BackupStop stop = session_.stop();
        packs.finish();
        maps.close_part();
        written_ = maps.index();
        commit.usage = maps.write_usage(packs.sizes(), known_packs_.sizes);
        uploads.finish();
        wait_for_wal(vault_,
                     {.redo = stop.label.redo,
                      .stop = stop.stop,
                      .timeline = stop.timeline,
                      .segment_size = session_.facts().segment_size,
                      .patience = settings_.wal_patience},
                     [&](const std::string& segment) { tell(BackupPhase::wal, segment); });
        describe(start, stop, commit);
        commit.owners = maps.owners();
        commit.counts = {.files = maps.file_count(),
                         .plain_bytes = maps.plain_bytes(),
                         .stored_bytes = uploads.stored_bytes(),
                         .read_bytes = reading_.read_bytes,
                         .referenced_pages = reading_.known_pages};
        return {.id = id_,
                .system_identifier = session_.facts().system_identifier,
                .writer = settings_.writer,
                .index = maps.index(),
                .commit = std::move(commit),
                .abort_reason = ""};
    }

    void describe(const pg::BackupStart& start, const pg::BackupStop& stop,
                  vault::BackupCommit& commit) const {
        const pg::ServerFacts& facts = session_.facts();
        const auto control = pg::parse_control_file(commit.control_file);
        commit.start_lsn = start.redo.value;
        commit.start_timeline = start.timeline;
        commit.checkpoint_lsn = stop.label.checkpoint.value;
        commit.redo_lsn = stop.label.redo.value;
        commit.stop_lsn = stop.stop.value;
        commit.stop_timeline = stop.timeline;
        while (!commit.control_file.empty() && commit.control_file.back() == std::byte{0})
            commit.control_file.pop_back();
        commit.format = {.control_version = control ? control->control_version : 0,
                         .catalog_version = facts.catalog_version,
                         .major_version = static_cast<std::uint16_t>(facts.version / 10'000),
                         .page_size = facts.page_size,
                         .pages_per_file = facts.pages_per_file,
                         .segment_size = facts.segment_size.bytes(),
                         .checksum_version = facts.has_data_checksums ? 1U : 0U};
        commit.mode = vault::BackupMode::direct;
        commit.is_from_standby = facts.is_standby;
        commit.backup_label = stop.label_text;
        commit.tablespace_map = stop.tablespace_map_text;
        struct ::stat status = {};
        if (::stat(settings_.pgdata.c_str(), &status) == 0)
            commit.directory_mode = status.st_mode & 0777;
        for (const pg::Tablespace& tablespace : start.tablespaces)
            commit.tablespaces.push_back({.oid = tablespace.oid, .path = tablespace.location});
        commit.label = settings_.label;
        if (!parents_.outcomes.empty()) commit.parent = parents_.outcomes.back().id;
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
    const ObserveBackup& observe_;
    vault::BackupStore store_;
    pg::BackupSession session_;
    Parents parents_;
    KnownPacks known_packs_;
    vault::BackupId id_;
    Reading reading_;
    std::vector<vault::MapDigest> written_;
    std::uint64_t seen_bytes_ = 0;
    std::uint64_t stored_bytes_ = 0;
};

}  // namespace

vault::BackupOutcome run_backup(const vault::ClusterVault& vault, const BackupSettings& settings,
                                const ObserveBackup& observe) {
    const RunLock lock(settings.lock_path);
    return Run(vault, settings, observe).run();
}

}  // namespace walden::backup
