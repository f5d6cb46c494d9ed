// Prepares a copied data directory as a restore does; tests/e2e/test_backup_server.py starts it.
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "pg/control_file.h"
#include "pg/recovery_settings.h"
#include "pg/tablespace_map.h"
#include "test_servers.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>

using namespace walden;
using namespace walden::test;
using namespace walden::pg;

namespace {

std::string text_of(const std::string& path) {
    const auto bytes = read_file(path, 1 << 20);
    return bytes ? std::string(as_text(*bytes)) : std::string();
}

}  // namespace

TEST_CASE("a copied data directory is prepared for its recovery", "[prepare]") {
    const std::string directory = from_environment("WALDEN_TEST_RESTORED");
    const std::string place = from_environment("WALDEN_TEST_NEW_TABLESPACE");
    const std::string control_path = directory + "/global/pg_control";
    const auto control = read_file(control_path, 64 << 10);
    REQUIRE(control.has_value());
    write_file_durably(control_path, with_unusable_checkpoint(*control), 0600);

    const std::string settings_path = directory + "/postgresql.auto.conf";
    const RecoverySettings settings{
        .restore_command = from_environment("WALDEN_TEST_RESTORE_COMMAND"),
        .target = {.kind = TargetKind::name,
                   .text = from_environment("WALDEN_TEST_TARGET"),
                   .action = "promote"},
        .others = {{"archive_mode", "off"}}};
    write_file_durably(settings_path,
                       as_bytes(with_recovery_settings(text_of(settings_path), settings)), 0600);
    write_file_durably(directory + "/" + std::string(signal_file_of(settings.goal)), {}, 0600);

    // Only the map: the server makes the links anew from it.
    const int major = *major_version_of(parse_control_file(*control)->catalog_version);
    auto places = parse_tablespace_map(text_of(directory + "/tablespace_map"), major);
    REQUIRE(places.has_value());
    REQUIRE(places->size() == 1);
    places->front().location = place;
    write_file_durably(directory + "/tablespace_map", as_bytes(to_tablespace_map(*places, major)),
                       0600);
}
