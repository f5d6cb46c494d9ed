#include "backup/file_backup.h"

#include "backup/parallel_read.h"
#include "base/file.h"
#include "base/format.h"
#include "pg/data_files.h"

#include <optional>
#include <utility>

namespace walden::backup {

namespace {

/// Maps of the backups before that are kept: 8 MiB each.
constexpr std::size_t kept_maps = 2;

vault::BackupFileType type_of(pg::DataFileKind kind) {
    switch (kind) {
        case pg::DataFileKind::directory: return vault::BackupFileType::directory;
        case pg::DataFileKind::file: return vault::BackupFileType::file;
        case pg::DataFileKind::tablespace_link: return vault::BackupFileType::tablespace_link;
        case pg::DataFileKind::other_link: return vault::BackupFileType::other_link;
    }
    return vault::BackupFileType::file;
}

ScannedFile as_scanned(pg::DataFile file, const std::string& pgdata) {
    ScannedFile scanned;
    scanned.path = format("{}/{}", pgdata, file.path);
    const std::string name = base_name(file.path);
    scanned.is_required = name == "PG_VERSION" || name == "pg_filenode.map";
    scanned.relation = file.relation;
    scanned.entry.type = type_of(file.kind);
    scanned.entry.path = std::move(file.path);
    scanned.entry.mode = file.mode;
    scanned.entry.target = std::move(file.target);
    scanned.entry.is_relation = file.relation.has_value();
    if (file.kind == pg::DataFileKind::file) {
        scanned.entry.size = file.size;
        scanned.entry.modified = file.modified;
    }
    return scanned;
}

}  // namespace

FileBackup::FileBackup(const vault::BackupStore& store, const vault::BackupId& id,
                       FileBackupSettings settings, Parents parents, ChangedFiles changes)
    : store_(store),
      id_(id),
      settings_(std::move(settings)),
      parents_(std::move(parents)),
      changes_(std::move(changes)),
      known_packs_(find_packs(store, parents_)),
      uploads_(store.storage(), settings_.uploads_in_flight),
      packs_(store, id,
             [this](std::string key, Bytes object) {
                 uploads_.put(std::move(key), std::move(object));
             }),
      maps_(store, id, settings_.page_size,
            [this](std::string key, Bytes object) {
                uploads_.put(std::move(key), std::move(object));
            }),
      sections_(store, kept_maps),
      reading_(settings_.rate_max) {
    reading_.store = &store_;
    reading_.parents = &sections_;
    reading_.packs = &packs_;
    reading_.pgdata = settings_.pgdata;
    reading_.page_size = settings_.page_size;
    reading_.pages_per_file = settings_.pages_per_file;
    reading_.has_checksums = settings_.has_checksums;
    reading_.encoding = settings_.encoding;
    reading_.encoding.page_size = settings_.page_size;
    reading_.left_packs = known_packs_.left;
}

void FileBackup::read(std::chrono::milliseconds interval,
                      const std::function<void(const FileBackupProgress&)>& watch) {
    pg::DataFileScan scan(settings_.pgdata, settings_.version_directory);
    const auto next_file = [&]() -> std::optional<ScannedFile> {
        auto file = scan.next();
        if (file && file->path == "global/pg_control") file = scan.next();
        if (!file) return std::nullopt;
        return as_scanned(*std::move(file), settings_.pgdata);
    };
    WorkSource source(next_file, parents_.open(store_, settings_.page_size), settings_.page_size,
                      changes_, known_packs_.left);
    ParallelRead crew(
        reading_, source, settings_.worker_count,
        [&, packs_in_index = std::uint32_t{0}](const Work& work, DoneWork done) mutable {
            maps_.add(work, std::move(done));
            if (packs_.closed_count() < packs_in_index + settings_.packs_per_part) return;
            packs_in_index = packs_.closed_count();
            maps_.close_part();
        });
    crew.run(interval, [&] {
        watch({.done_bytes = reading_.done_bytes, .stored_bytes = uploads_.stored_bytes()});
    });
}

std::optional<SuspectPage> FileBackup::first_surprise() {
    return reading_.surprises.with([](const auto& pages) -> std::optional<SuspectPage> {
        if (pages.empty()) return std::nullopt;
        return pages.front();
    });
}

FileBackup::Result FileBackup::finish() {
    packs_.finish();
    maps_.close_part();
    Result result;
    result.index = maps_.index();
    result.usage = maps_.write_usage(packs_.sizes(), known_packs_.sizes);
    uploads_.finish();
    result.owners = maps_.owners();
    result.counts = {.files = maps_.file_count(),
                     .plain_bytes = maps_.plain_bytes(),
                     .stored_bytes = uploads_.stored_bytes(),
                     .read_bytes = reading_.read_bytes,
                     .referenced_pages = reading_.known_pages};
    reading_.suspects.with([&](auto& pages) { result.suspects = pages; });
    return result;
}

void FileBackup::abandon() noexcept {
    try {
        packs_.finish();
        maps_.close_part();
        uploads_.finish();
    } catch (const std::exception&) {
        // What is not stored is read again.
    }
}

}  // namespace walden::backup
