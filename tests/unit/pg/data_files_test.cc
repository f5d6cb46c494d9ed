#include "pg/data_files.h"

#include "base/error.h"
#include "support/errors.h"
#include "support/scratch_directory.h"

#include <catch2/catch.hpp>
#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <map>

using namespace walden;
using namespace walden::test;
using namespace walden::pg;

namespace {

const std::string version_directory = "PG_15_202209061";

/// A data directory with what initdb makes, as far as it matters here.
class DataDirectoryFixture {
public:
    DataDirectoryFixture() {
        for (const char* directory :
             {"base", "base/1", "base/5", "global", "pg_wal", "pg_wal/archive_status",
              "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_stat_tmp",
              "pg_subtrans", "pg_tblspc", "pg_xact"})
            make_directories(path(directory));
        for (const char* file : {"PG_VERSION", "global/pg_control", "base/5/16384"}) write(file);
    }

    [[nodiscard]] std::string pgdata() const { return scratch_.path() + "/data"; }

    [[nodiscard]] std::string outside(const std::string& name) const {
        return scratch_.path() + "/" + name;
    }

    [[nodiscard]] std::string path(const std::string& name) const { return pgdata() + "/" + name; }

    void write(const std::string& name, std::size_t size = 0) const {
        make_directories(parent_directory(path(name)));
        write_file_durably(path(name), Bytes(size, std::byte{1}), 0600);
    }

    void link(const std::string& target, const std::string& name) const {
        std::filesystem::create_symlink(target, path(name));
    }

    /// A tablespace of users with one relation in it.
    [[nodiscard]] std::string add_tablespace(const std::string& oid) const {
        const std::string place = outside("space" + oid);
        make_directories(place + "/" + version_directory + "/5");
        write_file_durably(place + "/" + version_directory + "/5/16401", Bytes(8192, std::byte{0}),
                           0600);
        link(place, "pg_tblspc/" + oid);
        return place;
    }

    [[nodiscard]] std::vector<DataFile> scan() const {
        DataFileScan scan(pgdata(), version_directory);
        std::vector<DataFile> files;
        while (auto file = scan.next()) files.push_back(std::move(*file));
        return files;
    }

    [[nodiscard]] std::map<std::string, DataFile> scan_by_path() const {
        std::map<std::string, DataFile> files;
        for (DataFile& file : scan()) {
            const std::string name = file.path;
            files.emplace(name, std::move(file));
        }
        return files;
    }

    [[nodiscard]] bool has(const std::string& name) const { return scan_by_path().contains(name); }

private:
    testing::ScratchDirectory scratch_;
};

/// Another user for as long as it lives, where the tests run as root, who may read everything.
class OrdinaryUser {
public:
    OrdinaryUser() : is_root_(::geteuid() == 0) {
        if (is_root_) REQUIRE(::seteuid(65534) == 0);
    }

    OrdinaryUser(const OrdinaryUser&) = delete;
    OrdinaryUser& operator=(const OrdinaryUser&) = delete;

    ~OrdinaryUser() {
        if (is_root_) static_cast<void>(::seteuid(0) == 0);
    }

private:
    bool is_root_;
};

}  // namespace

TEST_CASE("a scan is ascending by the bytes of the paths", "[pg][data]") {
    const DataDirectoryFixture data;
    for (const char* name : {"a/b", "a-b", "a.b", "a0", "log/1", "log-old/x", "base/50/2",
                             "base/5-x/1", "\xC3\xA4/1", "a/b-c"})
        data.write(name);
    std::string before;
    std::size_t count = 0;
    for (const DataFile& file : data.scan()) {
        INFO(before << " and " << file.path);
        CHECK(before < file.path);
        before = file.path;
        ++count;
    }
    CHECK(count == 17 + 16);  // those of the fixture, and files and directories of the above
}

TEST_CASE("files tell size, time, mode and relation", "[pg][data]") {
    const DataDirectoryFixture data;
    data.write("base/5/16385_fsm", 24576);
    data.write("base/5/pg_filenode.map", 512);
    data.write("pg_xact/0000", 8192);
    std::filesystem::permissions(data.path("base"), std::filesystem::perms{0750});
    const auto files = data.scan_by_path();
    CHECK(files.at("base").kind == DataFileKind::directory);
    CHECK(files.at("base").mode == 0750);
    const DataFile& relation = files.at("base/5/16385_fsm");
    CHECK(relation.kind == DataFileKind::file);
    CHECK(relation.mode == 0600);
    CHECK(relation.size == 24576);
    CHECK(relation.modified > 1'600'000'000);
    CHECK(relation.relation == RelationFile{1663, 5, 16385, Fork::fsm, 0});
    CHECK_FALSE(files.at("base/5/pg_filenode.map").relation.has_value());
    CHECK_FALSE(files.at("pg_xact/0000").relation.has_value());
    CHECK(files.at("base/5/16384").size == 0);
    CHECK(files.at("base/5/16384").relation.has_value());
}

TEST_CASE("what a restored server must not find is left out (pitfalls 3 and 4)", "[pg][data]") {
    const DataDirectoryFixture data;
    const std::vector<std::string> left_out{"postmaster.pid",
                                            "postmaster.opts",
                                            "promote",
                                            "recovery.signal",
                                            "standby.signal",
                                            "backup_label",
                                            "backup_label.old",
                                            "tablespace_map",
                                            "tablespace_map.old",
                                            "backup_manifest",
                                            "current_logfiles",
                                            "logrotate",
                                            "postgresql.auto.conf.tmp",
                                            "core",
                                            "core.123",
                                            "global/pg_internal.init",
                                            "base/5/pg_internal.init",
                                            "base/5/pg_internal.init.4711",
                                            "base/pgsql_tmp/pgsql_tmp1.0",
                                            "base/pgsql_tmp",
                                            "base/5/pgsql_tmp2.1",
                                            "base/5/t3_16390",
                                            "base/5/t3_16390_fsm",
                                            "base/5/t3_16390.1"};
    const std::vector<std::string> taken{"promoted",
                                         "core.c",
                                         "log/core.1",
                                         "log/promote",
                                         "postgresql.auto.conf",
                                         "base/5/t3_x",
                                         "pg_xact/t3_16390",
                                         "log/postmaster.pid",
                                         "log/backup_label"};
    for (const std::string& name : left_out)
        if (name != "base/pgsql_tmp") data.write(name);
    for (const std::string& name : taken) data.write(name);
    const auto files = data.scan_by_path();
    for (const std::string& name : left_out) {
        INFO(name);
        CHECK_FALSE(files.contains(name));
    }
    for (const std::string& name : taken) {
        INFO(name);
        CHECK(files.contains(name));
    }
}

TEST_CASE("directories without use are taken empty (pitfall 30)", "[pg][data]") {
    const DataDirectoryFixture data;
    const std::vector<std::string> emptied{"pg_wal",      "pg_replslot", "pg_dynshmem",
                                           "pg_notify",   "pg_serial",   "pg_snapshots",
                                           "pg_stat_tmp", "pg_subtrans"};
    for (const std::string& name : emptied) data.write(name + "/x/0000");
    // pg_wal lies elsewhere, and one more at a place that is not there (pitfall 25).
    make_directories(data.outside("wal"));
    write_file_durably(data.outside("wal") + "/000000010000000000000001", {}, 0600);
    std::filesystem::remove_all(data.path("pg_wal"));
    data.link(data.outside("wal"), "pg_wal");
    std::filesystem::remove_all(data.path("pg_stat_tmp"));
    data.link("/nowhere/at/all", "pg_stat_tmp");
    const auto files = data.scan_by_path();
    for (const std::string& name : emptied) {
        INFO(name);
        REQUIRE(files.contains(name));
        CHECK(files.at(name).kind == DataFileKind::directory);
        CHECK(files.at(name).mode == 0700);
        const auto after = std::next(files.find(name));
        CHECK((after == files.end() || !after->first.starts_with(name + "/")));
    }
}

TEST_CASE("of an unlogged relation only the init fork is taken (pitfall 21)", "[pg][data]") {
    const DataDirectoryFixture data;
    for (const char* name : {"16390", "16390.1", "16390_fsm", "16390_vm", "16390_init", "16391",
                             "16391_fsm", "163901", "1639"})
        data.write(std::string("base/5/") + name);
    // A name that only sorts like the init fork.
    data.write("base/5/16391_initial");
    CHECK(data.has("base/5/16390_init"));
    for (const char* name : {"16390", "16390.1", "16390_fsm", "16390_vm"})
        CHECK_FALSE(data.has(std::string("base/5/") + name));
    for (const char* name : {"16391", "16391_fsm", "163901", "1639", "16391_initial"})
        CHECK(data.has(std::string("base/5/") + name));
}

TEST_CASE("what lies in tablespaces follows under their links", "[pg][data]") {
    const DataDirectoryFixture data;
    const std::string place = data.add_tablespace("16400");
    // Another major version of the same server, and what the user has there.
    make_directories(place + "/PG_14_202107181/5");
    write_file_durably(place + "/PG_14_202107181/5/16401", {}, 0600);
    write_file_durably(place + "/notes", {}, 0600);
    make_directories(data.path("pg_tblspc/16500/" + version_directory + "/5"));
    data.write("pg_tblspc/16500/" + version_directory + "/5/16402");
    const auto files = data.scan_by_path();
    CHECK(files.at("pg_tblspc/16400").kind == DataFileKind::tablespace_link);
    CHECK(files.at("pg_tblspc/16400").target == place);
    CHECK(files.at("pg_tblspc/16400/" + version_directory).kind == DataFileKind::directory);
    CHECK(files.at("pg_tblspc/16400/" + version_directory + "/5/16401").relation ==
          RelationFile{16400, 5, 16401, Fork::main, 0});
    CHECK_FALSE(files.contains("pg_tblspc/16400/notes"));
    CHECK_FALSE(files.contains("pg_tblspc/16400/PG_14_202107181"));
    CHECK(files.at("pg_tblspc/16500").kind == DataFileKind::directory);
    CHECK(files.contains("pg_tblspc/16500/" + version_directory + "/5/16402"));
}

TEST_CASE("a link to a link is followed; circles and traps are errors (pitfall 24)", "[pg][data]") {
    SECTION("a link to a link") {
        const DataDirectoryFixture data;
        const std::string place = data.add_tablespace("16400");
        std::filesystem::create_symlink(place, data.outside("way"));
        std::filesystem::remove(data.path("pg_tblspc/16400"));
        data.link(data.outside("way"), "pg_tblspc/16400");
        CHECK(data.has("pg_tblspc/16400/" + version_directory + "/5/16401"));
    }
    const DataDirectoryFixture data;
    const auto refuses = [&](const std::string& target, const std::string& why) {
        data.link(target, "pg_tblspc/16400");
        const auto error = error_of([&] { DataFileScan(data.pgdata(), version_directory); });
        REQUIRE(error.has_value());
        CHECK(error->kind() == ErrorKind::usage);
        INFO(error->message());
        CHECK(mentions(error->message(), why));
        CHECK(mentions(error->message(), target));
    };
    SECTION("a circle") {
        refuses(data.path("pg_tblspc/16400"), "Too many levels");
    }
    SECTION("nowhere") {
        refuses(data.outside("nowhere"), "No such file");
    }
    SECTION("into the data directory") {
        make_directories(data.path("mine"));
        refuses(data.path("mine"), "lies in the data directory");
    }
    SECTION("the data directory itself, by another way") {
        std::filesystem::create_symlink(data.pgdata(), data.outside("way"));
        refuses(data.outside("way"), "lies in the data directory");
    }
    SECTION("the place of another tablespace") {
        refuses(data.add_tablespace("16399"), "lies in tablespace");
    }
    SECTION("the files of another tablespace") {
        refuses(data.add_tablespace("16399") + "/" + version_directory + "/5",
                "lies in tablespace 16399");
    }
}

TEST_CASE("tablespaces may lie side by side and around the data directory", "[pg][data]") {
    const DataDirectoryFixture data;
    const std::string place = data.add_tablespace("16400");
    make_directories(place + "/inner/" + version_directory);
    data.link(place + "/inner", "pg_tblspc/16401");
    data.link(data.outside(""), "pg_tblspc/16402");
    CHECK(data.has("pg_tblspc/16401/" + version_directory));
    CHECK(data.has("pg_tblspc/16402"));
}

TEST_CASE("links to configuration are listed, links where data must be are errors (pitfall 25)",
          "[pg][data]") {
    const DataDirectoryFixture data;
    data.link("/etc/postgresql/15/main/postgresql.conf", "postgresql.conf");
    make_directories(data.outside("logs/a"));
    data.link(data.outside("logs"), "pg_log");
    const auto files = data.scan_by_path();
    CHECK(files.at("postgresql.conf").kind == DataFileKind::other_link);
    CHECK(files.at("postgresql.conf").target == "/etc/postgresql/15/main/postgresql.conf");
    CHECK(files.at("pg_log").kind == DataFileKind::other_link);
    CHECK_FALSE(files.contains("pg_log/a"));

    for (const char* name : {"base/6", "base/5/16999", "pg_multixact", "pg_xact/0001"}) {
        const DataDirectoryFixture bad;
        make_directories(bad.outside("disk"));
        bad.link(bad.outside("disk"), name);
        const auto error = error_of([&] { static_cast<void>(bad.scan()); });
        INFO(name);
        REQUIRE(error.has_value());
        CHECK(error->kind() == ErrorKind::usage);
        CHECK(mentions(error->message(), bad.path(name)));
    }
}

TEST_CASE("what vanishes during the scan is left out (pitfall 6)", "[pg][data]") {
    const DataDirectoryFixture data;
    data.write("base/6/16500");
    data.write("base/7/16500");
    data.write("log/b");
    DataFileScan scan(data.pgdata(), version_directory);
    std::vector<std::string> paths;
    while (const auto file = scan.next()) {
        paths.push_back(file->path);
        if (file->path != "base") continue;
        std::filesystem::remove_all(data.path("base/6"));
    }
    const auto has = [&](const std::string& name) {
        return std::find(paths.begin(), paths.end(), name) != paths.end();
    };
    CHECK_FALSE(has("base/6/16500"));
    CHECK(has("base/7/16500"));
    CHECK(has("log/b"));
    CHECK_FALSE(open_data_file(data.pgdata(), "base/6/16500").has_value());
    CHECK(open_data_file(data.pgdata(), "base/7/16500").has_value());

    // Not what a server cannot be without.
    DataFileScan second(data.pgdata(), version_directory);
    CHECK(second.next()->path == "PG_VERSION");
    std::filesystem::remove_all(data.path("global"));
    const auto error = error_of([&] {
        while (second.next()) continue;
    });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::io);
    CHECK(mentions(error->message(), data.path("global")));
}

TEST_CASE("what may not be read is an error at once, with its path (pitfall 7)", "[pg][data]") {
    const DataDirectoryFixture data;
    data.write("base/5/16390");
    std::filesystem::permissions(data.path("base/5/16390"), std::filesystem::perms{0});
    std::filesystem::permissions(data.path("base/1"), std::filesystem::perms{0});
    // The scratch directory and the rest are the ordinary user's to read.
    for (std::string at = data.path("base/5"); at.size() >= data.outside("").size() - 1;
         at = parent_directory(at))
        std::filesystem::permissions(at, std::filesystem::perms{0755});
    const auto names = {"pg_tblspc", "global"};
    for (const char* name : names)
        std::filesystem::permissions(data.path(name), std::filesystem::perms{0755});
    const OrdinaryUser user;
    const auto file =
        error_of([&] { static_cast<void>(open_data_file(data.pgdata(), "base/5/16390")); });
    REQUIRE(file.has_value());
    CHECK(file->kind() == ErrorKind::denied);
    CHECK(mentions(file->message(), data.path("base/5/16390")));
    CHECK(mentions(file->hint(), "belongs to the user that the server runs as"));
    const auto directory = error_of([&] { static_cast<void>(data.scan()); });
    REQUIRE(directory.has_value());
    CHECK(directory->kind() == ErrorKind::denied);
    CHECK(mentions(directory->message(), data.path("base/1")));
    CHECK(kind_of([&] { DataFileScan(data.path("nothing"), version_directory); }) == ErrorKind::io);
}

TEST_CASE("sockets are skipped, and no link or directory is opened as a file", "[pg][data]") {
    const DataDirectoryFixture data;
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    data.path(".s.PGSQL.5432").copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::close(fd);
    CHECK_FALSE(data.has(".s.PGSQL.5432"));
    data.link(data.path("PG_VERSION"), "link");
    for (const char* name : {"link", "base", ".s.PGSQL.5432"})
        CHECK(kind_of([&] { static_cast<void>(open_data_file(data.pgdata(), name)); }) ==
              ErrorKind::io);
}
