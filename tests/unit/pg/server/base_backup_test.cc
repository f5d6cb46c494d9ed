// Against the servers that tests/e2e/test_backup_server.py starts.
#include "base/error.h"
#include "base/format.h"
#include "pg/backup_session.h"
#include "pg/base_backup_protocol.h"
#include "pg/connection.h"
#include "pg/control_file.h"
#include "pg/data_files.h"
#include "pg/page_check.h"
#include "support/errors.h"
#include "test_servers.h"

#include <catch2/catch.hpp>

#include <map>
#include <set>

using namespace walden;
using namespace walden::test;
using namespace walden::pg;

namespace {

/// Notes every entry, and proves the pages of relations.
class Inspector : public BackupFileVisitor {
public:
    explicit Inspector(const RemoteServer& server) : server_(server) {}

    void on_entry(const DataFile& file) override {
        CHECK(entries.emplace(file.path, file).second);
        current_ = file;
        content_.clear();
    }

    void on_data(ByteView piece) override { append(content_, piece); }

    void on_file_end() override {
        CHECK(content_.size() == current_.size);
        if (!current_.relation) return;
        const std::size_t page_size = server_.page_size;
        for (std::size_t page = 0; (page + 1) * page_size <= content_.size(); ++page) {
            const std::uint32_t block = block_of(*current_.relation, server_.pages_per_file,
                                                 static_cast<std::uint32_t>(page));
            const ByteView bytes = ByteView(content_).subspan(page * page_size, page_size);
            bad_pages += check_page(bytes, block) == PageState::bad;
            ++pages;
        }
    }

    std::map<std::string, DataFile> entries;
    std::size_t pages = 0;
    std::size_t bad_pages = 0;

private:
    const RemoteServer& server_;
    DataFile current_;
    Bytes content_;
};

std::map<std::string, DataFile> scan_primary(const ServerFacts& facts) {
    DataFileScan scan(primary_data(),
                      tablespace_version_directory(facts.version / 10000, facts.catalog_version));
    std::map<std::string, DataFile> files;
    while (auto file = scan.next()) {
        const std::string path = file->path;
        files.emplace(path, std::move(*file));
    }
    return files;
}

void run(Connection& connection, const std::string& sql) {
    const Answer answer = connection.ask(sql);
    if (answer.kind == AnswerKind::refused) FAIL(sql << ": " << answer.refusal.message);
}

}  // namespace

TEST_CASE("BASE_BACKUP brings what a scan of the directory finds (pitfalls 3, 21, 34 to 36)",
          "[protocol]") {
    Connection sql(primary_conninfo(), {});
    run(sql, "CREATE UNLOGGED TABLE unlogged AS SELECT generate_series(1, 10000) n");
    run(sql, "CREATE TEMP TABLE temporary AS SELECT generate_series(1, 10000) n");
    run(sql, "CREATE INDEX ON unlogged (n)");
    run(sql, "CHECKPOINT");
    const BackupSession session(primary_conninfo());
    const ServerFacts& facts = session.facts();

    RemoteBackup backup(primary_conninfo());
    const RemoteServer& server = backup.server();
    CHECK(server.version == facts.version);
    CHECK(server.system_identifier == facts.system_identifier);
    CHECK(server.timeline == 1);
    CHECK(server.page_size == facts.page_size);
    CHECK(server.pages_per_file == facts.pages_per_file);
    CHECK(server.segment_size == facts.segment_size);
    CHECK(server.has_data_checksums);
    CHECK(server.directory_mode == 0700);

    Inspector inspector(server);
    std::optional<RemoteStart> start;
    const RemoteStop stop = backup.take({.label = "it's \\ nightly"}, inspector,
                                        [&](const RemoteStart& told) { start = told; });
    REQUIRE(start.has_value());
    CHECK(start->timeline == 1);
    CHECK(start->estimated_bytes > 10 << 20);
    REQUIRE(start->tablespaces.size() == 1);
    CHECK(start->tablespaces[0].location == tablespace_location());
    CHECK(stop.label.label == "it's \\ nightly");
    CHECK(stop.label.redo == start->redo);
    CHECK(stop.stop > start->redo);
    CHECK(stop.timeline == 1);
    CHECK(stop.tablespace_map_text ==
          format("{} {}\n", start->tablespaces[0].oid, tablespace_location()));
    CHECK(parse_control_file(stop.control_file)->system_identifier == server.system_identifier);
    CHECK(inspector.pages > 1000);
    CHECK(inspector.bad_pages == 0);

    auto scanned = scan_primary(facts);
    CHECK(scanned.erase("global/pg_control") == 1);
    for (const auto& [path, file] : scanned) {
        INFO(path);
        REQUIRE(inspector.entries.contains(path));
        const DataFile& sent = inspector.entries.at(path);
        CHECK(sent.kind == file.kind);
        CHECK(sent.mode == file.mode);
        CHECK(sent.target == file.target);
        CHECK(sent.relation == file.relation);
    }
    for (const auto& [path, file] : inspector.entries) {
        INFO(path);
        CHECK(scanned.contains(path));
    }
    run(sql, "DROP TABLE unlogged");
}

TEST_CASE("a limited and a spread backup are backups", "[protocol]") {
    RemoteBackup backup(primary_conninfo());
    Inspector inspector(backup.server());
    Connection sql(primary_conninfo(), {});
    run(sql, "CHECKPOINT");
    const RemoteStop stop =
        backup.take({.label = "x", .pace = CheckpointPace::spread, .rate_max_kb = 1 << 20},
                    inspector, [](const RemoteStart&) {});
    CHECK(stop.stop.is_valid());
    for (const std::uint32_t rate : {1U, 31U, (1U << 20) + 1}) {
        RemoteBackup refused(primary_conninfo());
        CHECK(kind_of([&] {
                  static_cast<void>(refused.take({.label = "x", .rate_max_kb = rate}, inspector,
                                                 [](const RemoteStart&) {}));
              }) == ErrorKind::usage);
    }
}

TEST_CASE("a connection that ends in the middle is no backup, and says why (pitfall 8)",
          "[protocol]") {
    /// Ends the WAL sender with the first piece of a file.
    class Killer : public BackupFileVisitor {
    public:
        void on_entry(const DataFile&) override {}

        void on_data(ByteView) override {
            if (is_done_) return;
            is_done_ = true;
            Connection sql(primary_conninfo(), {});
            run(sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_replication");
            run(sql,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = "
                "'walsender'");
        }

        void on_file_end() override {}

    private:
        bool is_done_ = false;
    };

    RemoteBackup backup(primary_conninfo());
    Killer killer;
    const auto error = error_of([&] {
        static_cast<void>(
            backup.take({.label = "x", .rate_max_kb = 32}, killer, [](const RemoteStart&) {}));
    });
    REQUIRE(error.has_value());
    INFO(error->message());
    CHECK(error->kind() == ErrorKind::unavailable);
    CHECK((mentions(error->message(), "terminat") || mentions(error->message(), "closed")));
}

TEST_CASE("a role that may not replicate is told so", "[protocol]") {
    Connection sql(primary_conninfo(), {});
    run(sql, "CREATE ROLE stranger LOGIN");
    const auto error = error_of([] { RemoteBackup backup(primary_conninfo() + " user=stranger"); });
    REQUIRE(error.has_value());
    INFO(error->message() << " " << error->detail());
    // From version 16 on the attribute is named in the detail.
    CHECK((mentions(error->message(), "replication role") ||
           mentions(error->detail(), "REPLICATION attribute")));
    run(sql, "ALTER ROLE stranger REPLICATION");
    CHECK(RemoteBackup(primary_conninfo() + " user=stranger").server().page_size == 8192);
    run(sql, "DROP ROLE stranger");
}
