#include "catalog/histories.h"

#include "support/counting_storage.h"
#include "support/errors.h"
#include "support/inspected_archive.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::catalog;

TEST_CASE("the latest timeline is the last of those without a gap, as PostgreSQL looks for it",
          "[catalog][histories]") {
    std::vector<wal::TimelineId> known;
    CHECK(newest_timeline(1, known) == 1);
    known = {2, 3, 5};
    CHECK(newest_timeline(1, known) == 3);
    CHECK(newest_timeline(3, known) == 3);
    CHECK(newest_timeline(4, known) == 5);
    known.push_back(0xFFFFFFFF);
    CHECK(newest_timeline(0xFFFFFFFE, known) == 0xFFFFFFFF);
    CHECK(newest_timeline(0xFFFFFFFF, known) == 0xFFFFFFFF);
}

TEST_CASE("the histories of the archive are listed and read by their timelines",
          "[catalog][histories]") {
    InspectedArchive a;
    storage::CountingStorage counting(a.storage);
    const vault::ClusterVault vault = make_vault(counting);
    CHECK(list_histories(vault) == std::vector<wal::TimelineId>{2});
    CHECK(list_histories(vault, 1) == std::vector<wal::TimelineId>{2});
    CHECK(list_histories(vault, 2).empty());
    CHECK(counting.counts().list_count == 3);
    CHECK(counting.counts().get_count == 0);

    CHECK_FALSE(read_history(vault, 3).has_value());
    const auto history = read_history(vault, 2);
    REQUIRE(history.has_value());
    CHECK(history->timeline() == 2);
    CHECK(history->switch_point(1) == a.fork.switch_point);
}

TEST_CASE("a damaged history is damage, with its name", "[catalog][histories]") {
    InspectedArchive a;
    const std::string key = a.vault.layout().history_key(wal::history_name(2));
    a.storage.overwrite(key, as_bytes("rubbish"));
    CHECK(kind_of([&] { static_cast<void>(read_history(a.vault, 2)); }) == ErrorKind::corrupt);
    CHECK(mentions(message_of([&] { static_cast<void>(read_history(a.vault, 2)); }), key));
}
