#include "pg/received_files.h"

#include "support/errors.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::pg;

namespace {

class Collector : public BackupFileVisitor {
public:
    void on_entry(const DataFile& file) override { files.push_back(file); }

    void on_data(ByteView piece) override { data += as_text(piece); }

    void on_file_end() override { data += "|"; }

    std::vector<DataFile> files;
    std::string data;
};

void send(ReceivedFiles& files, const std::string& path, const std::string& content) {
    files.on_entry({.path = path, .mode = 0600, .size = content.size()});
    files.on_data(as_bytes(content));
    files.on_file_end();
}

ManifestFile listed(const std::string& path, const std::string& content) {
    return {.path = path, .size = content.size(), .crc32c = crc32c(as_bytes(content))};
}

}  // namespace

TEST_CASE("entries of a BASE_BACKUP come under their paths in the data directory",
          "[pg][protocol]") {
    Collector collector;
    ReceivedFiles files(collector);
    files.begin_tablespace({.oid = 16384, .location = "/srv"});
    files.on_entry({.path = "PG_15_202209061/5", .kind = TarEntryKind::directory, .mode = 0700});
    send(files, "PG_15_202209061/5/16400.1", "page");
    files.begin_data_directory();
    files.on_entry({.path = "postgresql.conf", .kind = TarEntryKind::link, .target = "/etc"});
    REQUIRE(collector.files.size() == 4);
    CHECK(collector.files[0].path == "pg_tblspc/16384");
    CHECK(collector.files[0].kind == DataFileKind::tablespace_link);
    CHECK(collector.files[0].target == "/srv");
    CHECK(collector.files[1].path == "pg_tblspc/16384/PG_15_202209061/5");
    CHECK(collector.files[1].kind == DataFileKind::directory);
    CHECK(collector.files[2].relation == RelationFile{16384, 5, 16400, Fork::main, 1});
    CHECK(collector.files[2].size == 4);
    CHECK(collector.files[3].kind == DataFileKind::other_link);
    CHECK(collector.data == "page|");
}

TEST_CASE("label, map and control file are kept apart, and signal files dropped (pitfall 4)",
          "[pg][protocol]") {
    Collector collector;
    ReceivedFiles files(collector);
    files.begin_data_directory();
    send(files, "backup_label", "label");
    send(files, "tablespace_map", "map");
    send(files, "standby.signal", "");
    send(files, "promote", "");
    send(files, "pg_replslot/a/state", "slot");
    send(files, "global/1262", "page");
    send(files, "global/pg_control", "control");
    CHECK(files.label_text() == "label");
    CHECK(files.tablespace_map_text() == "map");
    CHECK(as_text(files.control_file()) == "control");
    REQUIRE(collector.files.size() == 1);
    CHECK(collector.files[0].path == "global/1262");
    CHECK(collector.data == "page|");
}

TEST_CASE("what came is compared with the manifest (pitfall 35)", "[pg][protocol]") {
    const auto with = [](const std::vector<ManifestFile>& manifest) {
        Collector collector;
        ReceivedFiles files(collector);
        send(files, "a", "first");
        send(files, "standby.signal", "x");
        return kind_of([&] {
            files.end_archives();
            for (const ManifestFile& file : manifest) files.compare(file);
            files.end_manifest();
        });
    };
    const ManifestFile a = listed("a", "first");
    const ManifestFile signal = listed("standby.signal", "x");
    CHECK_FALSE(with({a, signal}).has_value());
    CHECK_FALSE(with({signal, a}).has_value());
    ManifestFile without_checksum = a;
    without_checksum.crc32c.reset();
    CHECK_FALSE(with({without_checksum, signal}).has_value());
    CHECK(with({a}) == ErrorKind::corrupt);
    CHECK(with({a, a, signal}) == ErrorKind::corrupt);
    CHECK(with({a, signal, listed("b", "first")}) == ErrorKind::corrupt);
    CHECK(with({listed("a", "fires"), signal}) == ErrorKind::corrupt);
    CHECK(with({listed("a", "first "), signal}) == ErrorKind::corrupt);
    CHECK(with({listed("A", "first"), signal}) == ErrorKind::corrupt);
}

TEST_CASE("a file that comes twice is refused (pitfall 36)", "[pg][protocol]") {
    Collector collector;
    ReceivedFiles files(collector);
    send(files, "base/5/1", "x");
    send(files, "base/5/2", "x");
    send(files, "base/5/1", "y");
    CHECK(kind_of([&] { files.end_archives(); }) == ErrorKind::corrupt);
    ReceivedFiles second(collector);
    send(second, "backup_label", "x");
    CHECK(kind_of([&] { send(second, "backup_label", "x"); }) == ErrorKind::corrupt);
    CHECK(kind_of([&] { send(second, "global/pg_control", std::string(2 << 20, 'x')); }) ==
          ErrorKind::corrupt);
}
