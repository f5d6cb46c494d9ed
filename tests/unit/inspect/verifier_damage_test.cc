// Every object of an archive, one at a time, removed, cut, flipped, exchanged and replaced (fault
// 85, invariant 35).
#include "inspect/verifier.h"
#include "support/inspected_archive.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>
#include <set>

using namespace walden;
using namespace walden::test;
using catalog::Problem;
using inspect::VerifyReport;

namespace {

bool is_named(const VerifyReport& report, const std::string& key) {
    return std::any_of(report.problems.begin(), report.problems.end(), [&](const Problem& problem) {
        return problem.object == key || mentions(problem.message, key);
    });
}

/// Spoils each object in turn; returns the keys whose damage no problem names.
std::set<std::string> unnoticed(InspectedArchive& a,
                                const std::function<void(const std::string&)>& spoil) {
    std::set<std::string> keys;
    for (const std::string& key : keys_of(a.storage)) {
        const Bytes object = get(a.storage, key);
        spoil(key);
        if (!is_named(verify(a.vault), key)) keys.insert(key);
        a.storage.overwrite(key, object);
    }
    CHECK(problems_of(verify(a.vault)).empty());
    return keys;
}

}  // namespace

TEST_CASE("a removed object is named, but for those that nothing refers to (fault 85)",
          "[inspect][damage]") {
    InspectedArchive a;
    const std::set<std::string> expected = {
        // Labels: nobody says that there must be one.
        a.vault.layout().label_key(a.label.name),
        a.vault.layout().partial_key(a.partial.name, a.vault.contents().id_of(a.partial.bytes)),
        // The newest segment: that is what an archive looked like before it was pushed. A host that
        // remembers the push does see it.
        a.segment_key(a.fork.child[1]),
        // The newest claim: as if nobody had adopted the timeline.
        a.vault.layout().claim_key("00000002", 2),
    };
    CHECK(unnoticed(a, [&](const std::string& key) { a.remove(key); }) == [&] {
        // The conflict's entry is not named itself; its content then belongs to nothing.
        std::set<std::string> keys = expected;
        keys.insert(
            a.vault.layout().conflict_key(a.loser.name, a.vault.contents().id_of(a.loser.bytes)));
        return keys;
    }());
    a.remove(a.vault.layout().conflict_key(a.loser.name, a.vault.contents().id_of(a.loser.bytes)));
    CHECK(is_named(verify(a.vault), a.content_key(a.loser)));
}

TEST_CASE("contents whose label or newest entry was removed are noted", "[inspect][damage]") {
    InspectedArchive a;
    a.remove(a.segment_key(a.fork.child[1]));
    a.remove(
        a.vault.layout().partial_key(a.partial.name, a.vault.contents().id_of(a.partial.bytes)));
    const auto report = verify(a.vault);
    CHECK(problems_of(report).empty());
    CHECK(report.notes.size() == 3);  // beside the conflict
}

TEST_CASE("a truncated object is named", "[inspect][damage]") {
    InspectedArchive a;
    const std::size_t divisor = GENERATE(1U, 2U, 1000000U);
    CHECK(unnoticed(a, [&](const std::string& key) {
              const Bytes object = get(a.storage, key);
              a.storage.overwrite(key, ByteView(object).first((object.size() - 1) / divisor));
          }).empty());
}

TEST_CASE("a flipped bit anywhere is named", "[inspect][damage]") {
    InspectedArchive a;
    const std::size_t part = GENERATE(range(std::size_t{0}, std::size_t{12}));
    CHECK(unnoticed(a, [&](const std::string& key) {
              const Bytes object = get(a.storage, key);
              const std::size_t at = part == 0 ? 8 : object.size() * part / 12 - 1;
              a.storage.overwrite(key, with_bit_flipped(object, at * 8 + part % 8));
          }).empty());
}

TEST_CASE("garbage and nothing in the place of an object are named", "[inspect][damage]") {
    InspectedArchive a;
    const std::size_t size = GENERATE(0U, 1U, 300U, 100000U);
    CHECK(unnoticed(a, [&](const std::string& key) {
              a.storage.overwrite(key, Bytes(size, std::byte{0x5A}));
          }).empty());
}

TEST_CASE("an object in the place of another is named, wherever it came from",
          "[inspect][damage]") {
    InspectedArchive a;
    for (const std::string& other : keys_of(a.storage)) {
        const Bytes object = get(a.storage, other);
        std::set<std::string> missed =
            unnoticed(a, [&](const std::string& key) { a.storage.overwrite(key, object); });
        missed.erase(other);
        INFO(other);
        CHECK(missed.empty());
    }
}

TEST_CASE("an object that belongs to nothing is named", "[inspect][damage]") {
    InspectedArchive a;
    const std::string prefix = a.vault.layout().prefix();
    const std::string id = to_string(a.vault.contents().id_of(as_bytes("x")));
    for (const std::string& key :
         {prefix + "readme", prefix + "identity2", prefix + "wal/00000001/00000000/readme",
          prefix + "wal/00000002/00000000/000000010000000000000009",
          prefix + "wal/000000010000000000000009", prefix + "claims/00000001.x",
          prefix + "claims/00000001.3", prefix + "content/00000001/00000000/x",
          prefix + "content/00000001/00000000/000000010000000000000005." + id,
          prefix + "content/00000002/00000000/000000010000000000000009." + id,
          prefix + "content/00000001/00000000/000000010000000000000009.short"}) {
        a.storage.overwrite(key, get(a.storage, a.segment_key(a.fork.parent[0])));
        INFO(key);
        CHECK(is_named(verify(a.vault), key));
        a.remove(key);
    }
    // Below history/, labels/ and conflicts/ everything must be an entry of that name.
    for (const char* name : {"history/readme", "labels/readme", "conflicts/readme"}) {
        a.storage.overwrite(prefix + name, get(a.storage, a.segment_key(a.fork.parent[0])));
        CHECK(is_named(verify(a.vault), prefix + name));
        a.remove(prefix + name);
    }
    CHECK(problems_of(verify(a.vault)).empty());
}

TEST_CASE("the content of an unfinished push is a note, at the place of such a content",
          "[inspect][damage]") {
    InspectedArchive a;
    const WalFile next = make_line({.first = {2, 9}, .count = 1}).front();
    vault::Entry entry;
    entry.file_name = next.name;
    entry.content_id = a.vault.contents().id_of(next.bytes);
    a.vault.contents().put(a.vault.contents().encode(next.bytes, {}), entry);
    const auto report = verify(a.vault);
    CHECK(problems_of(report).empty());
    CHECK(mentions(report.notes.back(), next.name));
}
