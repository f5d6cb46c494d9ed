#include "pg/postmaster_file.h"

#include "base/bytes.h"
#include "base/file.h"
#include "pg/recovery_target.h"
#include "support/scratch_directory.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::pg;

namespace {

std::string file_with(std::string_view port, std::string_view directory) {
    return "4711\n/srv/data\n1795000000\n" + std::string(port) + "\n" + std::string(directory) +
           "\n*\n  5432001    131072\nready   \n";
}

}  // namespace

TEST_CASE("postmaster.pid tells port and socket directory", "[pg][postmaster]") {
    const auto address = parse_postmaster_file(file_with("5433", "/run/postgresql"));
    REQUIRE(address.has_value());
    CHECK(*address == ServerAddress{.port = 5433, .socket_directory = "/run/postgresql"});
    CHECK(parse_postmaster_file(file_with("1", "@abstract"))->socket_directory == "@abstract");
    CHECK(parse_postmaster_file(file_with("65535", "."))->port == 65535);
}

TEST_CASE("what is half written, or no address, is none", "[pg][postmaster]") {
    const std::string whole = file_with("5433", "/run/postgresql");
    const auto end = whole.find("/run/postgresql") + std::string("/run/postgresql").size();
    for (std::size_t size = 0; size <= end; ++size)
        CHECK_FALSE(parse_postmaster_file(std::string_view(whole).substr(0, size)).has_value());
    CHECK(parse_postmaster_file(std::string_view(whole).substr(0, end + 1)).has_value());
    for (const char* const port : {"", "0", "-1", "65536", "5432 ", "x", "99999999999"})
        CHECK_FALSE(parse_postmaster_file(file_with(port, "/run")).has_value());
    CHECK_FALSE(parse_postmaster_file(file_with("5432", "")).has_value());
    CHECK_FALSE(parse_postmaster_file(file_with("5432", "/run,evil.example")).has_value());
    CHECK_FALSE(parse_postmaster_file(file_with("5432", "/run\x01")).has_value());
    CHECK_FALSE(parse_postmaster_file(file_with("5432", std::string(108, 'x'))).has_value());
}

TEST_CASE("a directory with quotes stays one value of the connection string", "[pg][postmaster]") {
    const testing::ScratchDirectory scratch;
    CHECK_FALSE(find_local_conninfo(scratch.path()).has_value());
    const std::string path = scratch.path() + "/postmaster.pid";
    write_file_durably(path, as_bytes(file_with("5433", "/a b' port='1\\")), 0600);
    const auto conninfo = find_local_conninfo(scratch.path());
    REQUIRE(conninfo.has_value());
    CHECK(conninfo->starts_with("host='/a b\\' port=\\'1\\\\' port=5433 requirepeer='"));
    write_file_durably(path, as_bytes(file_with("5433", "run")), 0600);
    CHECK(find_local_conninfo(scratch.path())->starts_with("host='" + scratch.path() + "/run' "));
}

TEST_CASE("the number of a target is read as PostgreSQL reads it", "[pg][target]") {
    CHECK(parse_target_number("737") == 737U);
    CHECK(parse_target_number("0x1F") == 31U);
    CHECK(parse_target_number("017") == 15U);
    CHECK(parse_target_number("0") == 0U);
    // Of pg_current_xact_id, with its epoch.
    CHECK(parse_target_number("4294967999") == 703U);
    for (const char* const text : {"", "x", "12 ", "-1", "0x", "08"})
        CHECK_FALSE(parse_target_number(text).has_value());
}
