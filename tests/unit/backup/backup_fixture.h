// A data directory without a server, its backups over any storage, and what comes back of them.
#pragma once

#include "backup/file_backup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "restore/file_window.h"
#include "support/archive_fixture.h"
#include "support/scratch_directory.h"

#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>

namespace walden::test {

/// Small pages make large files small.
inline constexpr std::uint32_t small_page = 1024;

/// Paths and contents of all files below `root`, without global/pg_control.
inline std::map<std::string, std::string> contents_of(const std::string& root) {
    std::map<std::string, std::string> contents;
    for (const auto& item : std::filesystem::recursive_directory_iterator(root)) {
        const std::string path = std::filesystem::relative(item.path(), root).string();
        if (path == "global/pg_control") continue;
        if (item.is_directory())
            contents[path + "/"] = "";
        else
            contents[path] = std::string(as_text(*read_file(item.path().string(), 1 << 28)));
    }
    return contents;
}

/// Looks to a scan like the data directory of a server.
class DataDirectory {
public:
    DataDirectory() {
        for (const char* const path : {"base/5", "global", "pg_tblspc", "pg_wal", "pg_xact"})
            std::filesystem::create_directories(scratch_.path() + "/data/" + path);
        write("PG_VERSION", "15\n");
        write("global/pg_control", std::string(8192, 'c'));
    }

    [[nodiscard]] std::string path() const { return scratch_.path() + "/data"; }

    void write(const std::string& name, std::string_view text) const {
        const std::string full = path() + "/" + name;
        std::filesystem::create_directories(parent_directory(full));
        std::filesystem::remove(full);
        write_file_durably(full, as_bytes(text), 0600);
    }

    [[nodiscard]] std::string read(const std::string& name) const {
        return std::string(as_text(*read_file(path() + "/" + name, 1 << 28)));
    }

    void write_page(const std::string& name, std::uint32_t page, std::string_view text) const {
        std::string content = read(name);
        content.replace(std::size_t{page} * small_page, text.size(), text);
        write(name, content);
    }

    void remove(const std::string& name) const { std::filesystem::remove(path() + "/" + name); }

private:
    testing::ScratchDirectory scratch_;
};

/// Pages that differ from one another and compress like data.
inline std::string pages(std::uint32_t count, std::uint64_t seed,
                         std::size_t page_size = small_page) {
    std::mt19937_64 random(seed);
    std::string text(count * page_size, '\0');
    for (std::uint32_t page = 0; page < count; ++page)
        for (std::size_t i = 0; i < 64; ++i)
            text[page * page_size + i] = static_cast<char>('a' + random() % 20);
    return text;
}

struct BackupWish {
    backup::ChangedFiles changes{};
    std::uint32_t packs_per_part = 64;
    std::uint32_t page_size = small_page;
    bool is_full = false;
};

/// What `walden backup` does, but for the server's part.
class Backups {
public:
    Backups(vault::ObjectStorage& storage, const DataDirectory& data)
        : vault_(storage, test_keyring(crypto::Suite::aes_256_gcm),
                 vault::ClusterLayout(test_cluster, test_system), 1),
          store_(vault_.objects(), vault_.layout()),
          data_(data) {}

    [[nodiscard]] const vault::BackupStore& store() const { return store_; }

    /// Throws what the backup throws, as a process that is killed: no word is left.
    vault::BackupOutcome take(const BackupWish& wish = {}) {
        const backup::Parents parents = wish.is_full ? backup::Parents() : find_parents(wish);
        vault::BackupIntent intent;
        intent.id = vault::make_backup_id(next_time_++);
        intent.system_identifier = test_system;
        intent.parents = parents.ids();
        intent.writer.host = "db1";
        if (!store_.put_intent(intent)) throw Error(ErrorKind::conflict, "the id is taken");
        backup::FileBackup files(store_, intent.id,
                                 {.pgdata = data_.path(),
                                  .version_directory = "PG_15_202209061",
                                  .page_size = wish.page_size,
                                  .pages_per_file = 131072,
                                  .encoding = {},
                                  .packs_per_part = wish.packs_per_part},
                                 parents, wish.changes);
        files.read(std::chrono::milliseconds(100), [](const auto&) {});
        last_surprise = files.first_surprise();
        auto result = files.finish();
        vault::BackupOutcome outcome;
        outcome.id = intent.id;
        outcome.system_identifier = test_system;
        outcome.writer.host = "db1";
        outcome.index = result.index;
        vault::BackupCommit commit;
        commit.format.page_size = wish.page_size;
        commit.format.pages_per_file = 131072;
        commit.usage = result.usage;
        commit.owners = result.owners;
        commit.counts = result.counts;
        if (!parents.outcomes.empty()) commit.parent = parents.outcomes.back().id;
        outcome.commit = commit;
        return store_.settle(outcome);
    }

    [[nodiscard]] backup::Parents find_parents(const BackupWish& wish = {}) const {
        vault::Writer writer;
        writer.host = "db1";
        return backup::find_parents(
            store_,
            {.system_identifier = test_system, .page_size = wish.page_size, .writer = writer});
    }

    /// Contents of all files that the backup brings back.
    [[nodiscard]] std::map<std::string, std::string> restore(
        const vault::BackupOutcome& outcome) const {
        const testing::ScratchDirectory scratch;
        const std::uint32_t page_size = outcome.commit->format.page_size;
        restore::FileWindow window(store_, page_size, 2, restore::PresentFiles::none);
        vault::BackupIndexReader index(store_, outcome.id, outcome.index, page_size);
        while (const auto entry = index.next()) {
            const std::string path = scratch.path() + "/" + entry->path;
            if (entry->type == vault::BackupFileType::directory)
                std::filesystem::create_directories(path);
            else
                window.add(*entry, path, 0600);
            if (window.is_full()) window.write();
        }
        window.write();
        return contents_of(scratch.path());
    }

    std::optional<backup::SuspectPage> last_surprise;

private:
    vault::ClusterVault vault_;
    vault::BackupStore store_;
    const DataDirectory& data_;
    std::int64_t next_time_ = 1'700'000'000;
};

}  // namespace walden::test
