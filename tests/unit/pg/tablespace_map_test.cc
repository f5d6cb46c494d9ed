#include "pg/tablespace_map.h"

#include "support/errors.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::pg;

TEST_CASE("the maps that PostgreSQL 13 to 18 write tell the places", "[pg][tablespace]") {
    const std::vector<Tablespace> places{{16384, "/srv/a\\b c"}, {16385, "/srv/x\ny"}};
    // As the servers wrote them.
    const std::string of_13 = "16384 /srv/a\\b c\n16385 /srv/x\\\ny\n";
    const std::string of_14 = "16384 /srv/a\\\\b c\n16385 /srv/x\\\ny\n";
    CHECK(parse_tablespace_map(of_13, 13) == places);
    CHECK(to_tablespace_map(places, 13) == of_13);
    for (int major = 14; major <= 18; ++major) {
        CHECK(parse_tablespace_map(of_14, major) == places);
        CHECK(to_tablespace_map(places, major) == of_14);
    }
    CHECK(parse_tablespace_map("", 15) == std::vector<Tablespace>{});
    CHECK(to_tablespace_map({}, 15).empty());
    CHECK(parse_tablespace_map("16384 /srv/a\r\n16385 /srv/b\r\n", 15) ==
          std::vector<Tablespace>{{16384, "/srv/a"}, {16385, "/srv/b"}});
}

TEST_CASE("every place comes back from the map it was written to (pitfall 22)",
          "[pg][tablespace]") {
    const std::string letters[] = {"\\", "\n", "\r", "n", " ", "'", "\xFF"};
    for (int major = 13; major <= 18; ++major)
        for (const std::string& first : letters)
            for (const std::string& second : letters)
                for (const std::string& third : letters) {
                    const std::vector<Tablespace> places{{1, "/" + first + second + third},
                                                         {4294967295, "/b"}};
                    std::optional<std::string> map;
                    const auto error = error_of([&] { map = to_tablespace_map(places, major); });
                    if (map)
                        CHECK(parse_tablespace_map(*map, major) == places);
                    else
                        CHECK((major == 13 && error->kind() == ErrorKind::usage));
                }
    CHECK(kind_of([] {
              static_cast<void>(to_tablespace_map({{1, "/a\\"}}, 13));
          }) == ErrorKind::usage);
}

TEST_CASE("what is no map is refused", "[pg][tablespace]") {
    for (const char* text : {"16384 /srv/a", "16384\n", "16384 \n", "/srv/a\n", "x /srv/a\n",
                             "-1 /srv/a\n", "4294967296 /srv/a\n", "1 /a\n1 /b\n", "1 /a\\", "\\"})
        CHECK_FALSE(parse_tablespace_map(text, 15).has_value());
}
