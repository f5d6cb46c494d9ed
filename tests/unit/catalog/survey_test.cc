#include "catalog/survey.h"

#include "support/counting_storage.h"
#include "support/faulty_storage.h"
#include "support/inspected_archive.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using catalog::survey_cluster;

TEST_CASE("a survey tells what the archive holds", "[catalog][survey]") {
    InspectedArchive a;
    const auto survey = survey_cluster(a.vault, test_system);
    CHECK(survey.system_identifier == test_system);
    CHECK(survey.identity->segment_size == test_segment_size.bytes());
    REQUIRE(survey.timelines.size() == 2);

    const auto& first = survey.timelines[0];
    CHECK(first.timeline == 1);
    REQUIRE(first.runs.size() == 1);
    CHECK(first.runs[0].first == 5);
    CHECK(first.runs[0].last == 6);
    CHECK(first.segment_count == 2);
    CHECK(first.plain_bytes == 2 << 20);
    CHECK_FALSE(first.has_history_file);
    CHECK(first.owner->host == "db1");
    CHECK(first.oldest->file_name == a.fork.parent[0].name);
    CHECK(first.newest->file_name == a.fork.parent[1].name);
    CHECK(first.latest_commit == 800'000'000'000'000);
    CHECK(first.newest->facts.end == wal::EndReason::switched);

    const auto& second = survey.timelines[1];
    CHECK(second.timeline == 2);
    CHECK(second.runs[0].first == 7);
    CHECK(second.runs[0].last == 8);
    CHECK(second.has_history_file);
    REQUIRE(second.history.has_value());
    CHECK(second.history->switch_point(1) == a.fork.switch_point);
    CHECK(second.owner->generation == 2);

    CHECK(survey.labels.size() == 2);
    CHECK(survey.labels[0] == a.label.name);
    CHECK(survey.labels[1].starts_with(a.partial.name + "."));
    REQUIRE(survey.conflicts.size() == 1);
    CHECK(survey.conflicts[0].starts_with(a.loser.name + "."));
}

TEST_CASE("a survey adds up the bytes of entries and contents", "[catalog][survey]") {
    InspectedArchive a;
    std::uint64_t bytes[2] = {0, 0};
    a.storage.list("", "", [&](const vault::ObjectInfo& info) {
        if (mentions(info.key, "/wal/") || mentions(info.key, "/content/"))
            bytes[mentions(info.key, "/00000002/") ? 1 : 0] += info.size;
        return true;
    });
    const auto survey = survey_cluster(a.vault, test_system);
    CHECK(survey.timelines[0].stored_bytes == bytes[0]);
    CHECK(survey.timelines[1].stored_bytes == bytes[1]);
}

TEST_CASE("holes make several runs", "[catalog][survey]") {
    storage::MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const Host host;
    const auto line = make_line({.first = {1, 4094}, .count = 6, .record_count = 2});
    for (const WalFile& file : line) host.push(vault, file);
    storage.remove(std::vector<std::string>{vault.layout().segment_key(line[1].name),
                                            vault.layout().segment_key(line[4].name)});
    const auto survey = survey_cluster(vault, test_system);
    REQUIRE(survey.timelines.size() == 1);
    const auto& runs = survey.timelines[0].runs;
    REQUIRE(runs.size() == 3);
    CHECK((runs[0].first == 4094 && runs[0].last == 4094));
    CHECK((runs[1].first == 4096 && runs[1].last == 4097));  // behind the 4 GiB boundary
    CHECK((runs[2].first == 4099 && runs[2].count() == 1));
    CHECK(survey.timelines[0].segment_count == 4);
}

TEST_CASE("an empty cluster has no timelines, an unregistered one is an error",
          "[catalog][survey]") {
    storage::MemoryStorage storage;
    const auto vault = make_vault(storage);
    CHECK(kind_of([&] { static_cast<void>(survey_cluster(vault, test_system)); }) ==
          ErrorKind::corrupt);
    put_test_identity(vault);
    CHECK(survey_cluster(vault, test_system).timelines.empty());
}

TEST_CASE("a survey with the put key tells all but the histories, and writes nothing",
          "[catalog][survey]") {
    InspectedArchive a;
    storage::CountingStorage counting(a.storage);
    const vault::ClusterVault put(counting, test_put_keyring(),
                                  vault::ClusterLayout(test_cluster, test_system), 1);
    const auto survey = survey_cluster(put, test_system);
    CHECK(survey.timelines[1].has_history_file);
    CHECK_FALSE(survey.timelines[1].history.has_value());
    CHECK(survey.timelines[1].segment_count == 2);
    CHECK(counting.counts().put_count == 0);
    CHECK(counting.counts().remove_count == 0);
}

TEST_CASE("a survey shows what it can of a damaged archive and names what it cannot read",
          "[catalog][survey]") {
    InspectedArchive a;
    const auto with_damage = [&](const std::string& key) {
        const Bytes object = get(a.storage, key);
        a.storage.overwrite(key, with_bit_flipped(object, object.size() * 4));
        auto survey = survey_cluster(a.vault, test_system);
        a.storage.overwrite(key, object);
        REQUIRE(survey.timelines.size() == 2);
        CHECK(survey.timelines[0].segment_count == 2);
        CHECK(survey.timelines[1].segment_count == 2);
        REQUIRE(survey.unreadable.size() == 1);
        CHECK(mentions(survey.unreadable[0], key));
        return survey;
    };
    auto survey = with_damage(a.segment_key(a.fork.parent[1]));
    CHECK_FALSE(survey.timelines[0].newest.has_value());
    CHECK(survey.timelines[0].oldest.has_value());
    CHECK(survey.timelines[0].latest_commit.has_value());  // of the segment before
    survey = with_damage(a.segment_key(a.fork.parent[0]));
    CHECK_FALSE(survey.timelines[0].oldest.has_value());
    CHECK(survey.timelines[0].newest.has_value());
    survey = with_damage(a.vault.layout().history_key(a.fork.history.name));
    CHECK(survey.timelines[1].has_history_file);
    CHECK_FALSE(survey.timelines[1].history.has_value());
    survey = with_damage(a.vault.layout().claim_key("00000001", 1));
    CHECK_FALSE(survey.timelines[0].owner.has_value());
    CHECK(survey.timelines[1].owner.has_value());
    CHECK(survey_cluster(a.vault, test_system).unreadable.empty());
}

TEST_CASE("a survey does not take a store that fails for a damaged object", "[catalog][survey]") {
    InspectedArchive a;
    std::uint64_t n = 1;
    for (;; ++n) {
        storage::FaultyStorage faulty(a.storage);
        faulty.inject({.at = n});
        const auto kind =
            kind_of([&] { static_cast<void>(survey_cluster(make_vault(faulty), test_system)); });
        if (faulty.call_count() < n) break;
        CHECK(kind == ErrorKind::unavailable);
    }
    CHECK(n > 10);
}
