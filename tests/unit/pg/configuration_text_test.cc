#include "pg/configuration_text.h"

#include "base/file.h"
#include "pg/configuration_place.h"
#include "support/errors.h"
#include "support/scratch_directory.h"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace walden;
using namespace walden::test;
using namespace walden::pg;

TEST_CASE("a line of postgresql.conf is read as PostgreSQL reads it", "[pg][configuration]") {
    struct Example {
        const char* line;
        Setting setting;
    };

    for (const auto& [line, setting] : std::initializer_list<Example>{
             {"port = 5432", {"port", "5432"}},
             {"  Port=5432# not 5433", {"port", "5432"}},
             {"port 5432", {"port", "5432"}},
             {"port\t'5432'\r", {"port", "5432"}},
             {"shared_buffers = 16MB   # 16", {"shared_buffers", "16MB"}},
             {"x.y = 'a # b'# c", {"x.y", "a # b"}},
             {R"(restore_command = 'a ''b'' \'c\' \\ \n\t\101 \x')",
              {"restore_command", "a 'b' 'c' \\ \n\tA x"}},
             {"include 'a.conf'", {"include", "a.conf"}},
             {"name = ''", {"name", ""}}}) {
        INFO(line);
        CHECK(parse_setting(line) == setting);
    }
    for (const char* line : {"", "   ", "# port = 5432", "port", "port =", "port = # 1", "= 5",
                             "port = 'x", "port = 'x\\", "port = 'x' y", "port = 1 2"}) {
        INFO(line);
        CHECK_FALSE(parse_setting(line).has_value());
    }
}

TEST_CASE("every value comes back from the line it was written to", "[pg][configuration]") {
    std::string all;
    for (int byte = 1; byte < 256; ++byte) all += static_cast<char>(byte);
    for (const std::string& value :
         {std::string(), std::string("a'b"), std::string("\\"), std::string("\\n"),
          std::string("\n"), std::string("\\'"), std::string("''"), std::string("a #"), all}) {
        const std::string line = to_line({.name = "x", .value = value});
        CHECK(line.find('\n') == line.size() - 1);
        CHECK(parse_setting(std::string_view(line).substr(0, line.size() - 1)) ==
              Setting{"x", value});
    }
    CHECK(to_line({.name = "x", .value = "a'b\\"}) == "x = 'a''b\\\\'\n");
    CHECK(kind_of([] {
              static_cast<void>(to_line({.name = "x", .value = {"\0", 1}}));
          }) == ErrorKind::usage);
}

TEST_CASE("the last line of a name counts", "[pg][configuration]") {
    const std::string text = "a = 1\nb = 2\nA = 3\n#a = 4\na =\nc = '5'";
    CHECK(find_setting(text, "a") == "3");
    CHECK(find_setting(text, "c") == "5");
    CHECK_FALSE(find_setting(text, "d").has_value());
}

TEST_CASE("the configuration of a cluster is found where Debian has it", "[pg][configuration]") {
    const testing::ScratchDirectory scratch;
    const std::string etc = scratch.path() + "/etc";
    const std::string pgdata = scratch.path() + "/lib/15/main";
    const auto add = [&](const std::string& cluster, const std::string& text) {
        make_directories(etc + "/" + cluster);
        const std::string file = etc + "/" + cluster + "/postgresql.conf";
        write_file_durably(file, as_bytes(text), 0600);
        return file;
    };
    make_directories(pgdata);
    CHECK_FALSE(find_configuration(pgdata, 15, etc).has_value());
    add("14/main", "data_directory = '" + pgdata + "'\n");
    add("15/other", "data_directory = '" + scratch.path() + "/lib/15/other'\n");
    add("15/none", "port = 1\n");
    make_directories(etc + "/15/broken/postgresql.conf");
    CHECK_FALSE(find_configuration(pgdata, 15, etc).has_value());

    // By another way to the same directory.
    std::filesystem::create_symlink(scratch.path() + "/lib", scratch.path() + "/way");
    const std::string file =
        add("15/main", "port = 5433\ndata_directory = '" + scratch.path() + "/way/15/main' # it\n");
    const auto place = find_configuration(pgdata, 15, etc);
    REQUIRE(place.has_value());
    CHECK(place->file == file);
    CHECK(place->cluster == "main");
    // A directory that is yet to be restored.
    const std::string planned = scratch.path() + "/lib/15/planned";
    add("15/planned", "data_directory = '" + planned + "'\n");
    CHECK(find_configuration(planned, 15, etc)->cluster == "planned");

    write_file_durably(pgdata + "/postgresql.conf", {}, 0600);
    CHECK(find_configuration(pgdata, 15, etc)->file == pgdata + "/postgresql.conf");
    CHECK(find_configuration(pgdata, 15, etc)->cluster.empty());
}
