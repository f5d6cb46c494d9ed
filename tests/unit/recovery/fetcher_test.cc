#include "recovery/fetcher.h"

#include "support/archive_fixture.h"
#include "support/counting_storage.h"
#include "support/errors.h"
#include "support/faulty_storage.h"
#include "support/memory_storage.h"

#include <catch2/catch.hpp>

#include <map>
#include <thread>

using namespace walden;
using namespace walden::test;
using storage::FaultMode;
using storage::FaultyStorage;
using storage::MemoryStorage;

namespace {

/// Timeline 1: 5 and 6, 7 left and kept as partial; timeline 2: its history, 7 and 8.
struct Archive {
    MemoryStorage storage;
    vault::ClusterVault vault = make_vault(storage);
    Fork fork = make_fork();
    std::map<std::string, Bytes> files;

    Archive() {
        put_test_identity(vault);
        const Host host;
        const WalFile partial{fork.parent[2].name + ".partial", fork.parent[2].bytes};
        const WalFile label{fork.parent[1].name + ".00000028.backup",
                            to_bytes(as_bytes("START WAL LOCATION: 0/600028\n"))};
        for (const WalFile& file : {fork.parent[0], fork.parent[1], label, fork.history, partial,
                                    fork.child[0], fork.child[1]}) {
            host.push(vault, file);
            files[file.name] = file.bytes;
        }
    }

    std::optional<ErrorKind> failure_of(const std::string& name) {
        return kind_of([&] { static_cast<void>(fetch(vault, name)); });
    }

    void remove(const std::string& key) { storage.remove(std::vector<std::string>{key}); }

    std::string entry_key(const std::string& segment) {
        return vault.layout().segment_key(segment);
    }
};

/// True unless the store, as it is now, delivers other bytes for some name.
bool never_lies(Archive& a) {
    for (const auto& [name, bytes] : a.files) {
        try {
            const auto fetched = fetch(a.vault, name);
            if (fetched && !equal(*fetched, bytes)) return false;
        } catch (const Error&) {
        }
    }
    return true;
}

}  // namespace

TEST_CASE("every kind of file comes back, in any order and again (invariant 18, fault 51)",
          "[recovery]") {
    Archive a;
    for (int round = 0; round < 2; ++round) {
        for (const auto& [name, bytes] : a.files) CHECK(equal(*fetch(a.vault, name), bytes));
        for (auto it = a.files.rbegin(); it != a.files.rend(); ++it)
            CHECK(equal(*fetch(a.vault, it->first), it->second));
    }
}

TEST_CASE("what is not there is positively not there (invariant 16, fault 36)", "[recovery]") {
    Archive a;
    for (const char* name :
         {"000000020000000000000009", "0000000200000000000000FF", "000000030000000000000009",
          "00000003.history", "00000001.history", "000000010000000000000005.00000028.backup",
          "000000010000000000000005.partial"}) {
        INFO(name);
        CHECK_FALSE(fetch(a.vault, name).has_value());
    }
}

TEST_CASE("\"not there\" is not remembered (invariant 16, fault 51)", "[recovery]") {
    Archive a;
    const auto fetcher = make_fetcher(a.vault);
    const WalFile next = make_line({.first = {2, 9}, .count = 1}).front();
    CHECK_FALSE(fetcher.fetch(next.name).has_value());
    Host later("later");
    later.settings.instance.pgdata = "/srv/db1";
    later.put_files(a.fork.child);
    later.push(a.vault, next);
    CHECK(equal(fetcher.fetch(next.name)->bytes, next.bytes));
    a.remove(a.entry_key(next.name));
    CHECK_FALSE(fetcher.fetch(next.name).has_value());
    CHECK(equal(fetcher.fetch(a.fork.parent[0].name)->bytes, a.fork.parent[0].bytes));
}

TEST_CASE("a partial segment never answers for the segment (invariant 20)", "[recovery]") {
    Archive a;
    CHECK_FALSE(fetch(a.vault, a.fork.parent[2].name).has_value());
    CHECK(fetch(a.vault, a.fork.parent[2].name + ".partial").has_value());
}

TEST_CASE("a segment missing before later ones is a hole, not the end of WAL", "[recovery]") {
    Archive a;
    a.remove(a.entry_key(a.fork.parent[0].name));
    const auto error = error_of([&] { static_cast<void>(fetch(a.vault, a.fork.parent[0].name)); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::corrupt);
    CHECK(mentions(error->message(), a.fork.parent[1].name));
    CHECK(mentions(error->message(), "a hole, not the end of WAL"));
    // Before all that is there, too: recovery that asks for it wants what follows.
    CHECK(a.failure_of("000000010000000000000004") == ErrorKind::corrupt);
    // Another timeline's WAL does not make a hole.
    CHECK_FALSE(a.failure_of("000000010000000000000007").has_value());
}

TEST_CASE("a segment that a later one has overtaken is waited for", "[recovery]") {
    Archive a;
    const std::string& name = a.fork.parent[0].name;
    Bytes entry;
    REQUIRE(a.storage.get(a.entry_key(name), entry));
    a.remove(a.entry_key(name));
    storage::CountingStorage counting(a.storage);
    const vault::ClusterVault vault = make_vault(counting);
    const recovery::Fetcher fetcher(vault, {.system_identifier = test_system,
                                            .segment_size = test_segment_size,
                                            .hole_patience = std::chrono::minutes(1)});
    std::optional<recovery::FetchedFile> file;
    {
        // Published only after the fetch has seen the later one and not this one.
        const std::jthread publisher([&] {
            while (counting.counts().list_count == 0) std::this_thread::yield();
            a.storage.put_new(a.entry_key(name), entry);
        });
        file = fetcher.fetch(name);
    }
    REQUIRE(file.has_value());
    CHECK(equal(file->bytes, a.files[name]));
}

TEST_CASE("a hole whose neighbour was written long ago is not waited for", "[recovery]") {
    Archive a;
    a.remove(a.entry_key(a.fork.parent[0].name));
    const std::string later = a.entry_key(a.fork.parent[1].name);
    vault::Entry entry = a.vault.entries().find(later)->entry;
    entry.writer.time -= 3600;
    a.remove(later);
    a.vault.entries().publish(later, entry);
    // Far longer than a test may take.
    const recovery::Fetcher fetcher(a.vault, {.system_identifier = test_system,
                                              .segment_size = test_segment_size,
                                              .hole_patience = std::chrono::hours(1)});
    CHECK(kind_of([&] { static_cast<void>(fetcher.fetch(a.fork.parent[0].name)); }) ==
          ErrorKind::corrupt);
}

TEST_CASE("a segment missing before a switch point is a hole, not the end of WAL", "[recovery]") {
    Archive a;
    const auto& last = a.fork.parent[1].name;
    a.remove(a.entry_key(last));
    const auto error = error_of([&] { static_cast<void>(fetch(a.vault, last)); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::missing);
    CHECK(mentions(error->message(),
                   "timeline 2 left timeline 1 behind it, at " + to_string(a.fork.switch_point)));
    CHECK(mentions(error->message(), "a hole, not the end of WAL"));
    // Nothing else of the timeline needs to be there for that.
    a.remove(a.entry_key(a.fork.parent[0].name));
    CHECK(a.failure_of(a.fork.parent[0].name) == ErrorKind::missing);
    // The segment that was left inside, and what an old primary would have written behind it.
    CHECK_FALSE(fetch(a.vault, "000000010000000000000007").has_value());
    CHECK_FALSE(fetch(a.vault, "000000010000000000000008").has_value());
    CHECK_FALSE(fetch(a.vault, "000000020000000000000009").has_value());
}

TEST_CASE("a switch at a segment's very beginning leaves the segment to the new timeline",
          "[recovery]") {
    Archive a;
    const Host host;
    host.push(a.vault,
              WalFile{"00000003.history", to_bytes(as_bytes("1\t0/700028\tx\n2\t0/A00000\tx\n"))});
    CHECK(a.failure_of("000000020000000000000009") == ErrorKind::missing);
    CHECK_FALSE(fetch(a.vault, "00000002000000000000000A").has_value());
    CHECK_FALSE(fetch(a.vault, "00000003000000000000000A").has_value());
}

TEST_CASE("a switch point before its timeline began makes no hole", "[recovery]") {
    // Recovery to the latest timeline that stopped before the switch to it: timeline 3 names 2 as
    // its parent, and takes nothing from it.
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const Host host;
    host.push(vault,
              WalFile{"00000003.history", to_bytes(as_bytes("1\t0/700028\tx\n2\t0/500028\tx\n"))});
    CHECK_FALSE(fetch(vault, "000000020000000000000004").has_value());
    CHECK_FALSE(fetch(vault, "000000020000000000000006").has_value());
    CHECK(kind_of([&] { static_cast<void>(fetch(vault, "000000010000000000000006")); }) ==
          ErrorKind::missing);
}

TEST_CASE("where a timeline was left cannot be known from damaged histories", "[recovery]") {
    Archive a;
    const std::string key = a.vault.layout().history_key("00000002.history");
    a.storage.overwrite(key, with_bit_flipped(get(a.storage, key), 4000));
    CHECK(a.failure_of("000000010000000000000007") == ErrorKind::corrupt);
    CHECK_FALSE(fetch(a.vault, "000000020000000000000009").has_value());
}

TEST_CASE("a history missing where its timeline has WAL is damage, not an answer", "[recovery]") {
    Archive a;
    a.remove(a.vault.layout().history_key("00000002.history"));
    CHECK(a.failure_of("00000002.history") == ErrorKind::corrupt);
    CHECK_FALSE(a.failure_of("00000003.history").has_value());
    CHECK_FALSE(a.failure_of("00000001.history").has_value());
}

TEST_CASE("a missing content is damage, not \"not there\" (fault 40)", "[recovery]") {
    Archive a;
    for (const std::string& key : keys_of(a.storage, a.vault.layout().content_prefix()))
        a.remove(key);
    CHECK(a.failure_of(a.fork.parent[0].name) == ErrorKind::corrupt);
    CHECK(a.failure_of(a.fork.child[0].name) == ErrorKind::corrupt);
}

TEST_CASE("names that PostgreSQL does not ask for are refused", "[recovery]") {
    Archive a;
    storage::CountingStorage counting(a.storage);
    const auto vault = make_vault(counting);
    for (const char* name : {"", "../../etc/passwd", "00000001", "00000001000000000000000a",
                             "000000000000000000000001", "RECOVERYXLOG", "0000000A.History"})
        CHECK(kind_of([&] { static_cast<void>(fetch(vault, name)); }) == ErrorKind::usage);
    CHECK(counting.counts() == storage::StorageCounts{});
}

TEST_CASE("no flipped bit of any object delivers other bytes (invariant 14, fault 40)",
          "[recovery]") {
    Archive a;
    for (const std::string& key : keys_of(a.storage)) {
        const Bytes object = get(a.storage, key);
        const std::size_t step = object.size() < 2000 ? 13 : object.size() / 16 + 1;
        std::size_t unnoticed = 0;
        std::size_t tried = 0;
        for (std::size_t at = 0; at < object.size(); at += step, ++tried) {
            a.storage.overwrite(key, with_bit_flipped(object, at * 8 + tried % 8));
            if (!never_lies(a)) FAIL_CHECK(key << " byte " << at);
            bool is_noticed = false;
            for (const auto& [name, bytes] : a.files)
                if (mentions(key, name) && a.failure_of(name) == ErrorKind::corrupt)
                    is_noticed = true;
            if (!is_noticed) ++unnoticed;
        }
        a.storage.overwrite(key, object);
        const bool is_of_a_file = !mentions(key, "claims/") && !mentions(key, "identity");
        INFO(key);
        CHECK(unnoticed == (is_of_a_file ? 0 : tried));
    }
}

TEST_CASE("no two objects exchanged deliver other bytes (invariant 14, faults 40 and 42)",
          "[recovery]") {
    Archive a;
    const auto keys = keys_of(a.storage);
    for (const std::string& one : keys)
        for (const std::string& other : keys) {
            if (other <= one) continue;
            const Bytes first = get(a.storage, one);
            const Bytes second = get(a.storage, other);
            a.storage.overwrite(one, second);
            a.storage.overwrite(other, first);
            if (!never_lies(a)) FAIL_CHECK(one << " and " << other);
            a.storage.overwrite(one, first);
            a.storage.overwrite(other, second);
        }
    for (const auto& [name, bytes] : a.files) CHECK(equal(*fetch(a.vault, name), bytes));
}

TEST_CASE("sound objects with another cluster's WAL in them are refused (faults 41 and 42)",
          "[recovery]") {
    Archive a;
    const std::string name = "000000020000000000000009";
    // Written with the right keys under the right name, by a bug or by whoever holds the put key.
    const auto plant = [&](const Bytes& bytes) {
        vault::Entry entry;
        entry.file_name = name;
        entry.system_identifier = test_system;
        entry.content_id = a.vault.contents().id_of(bytes);
        wal::StoredFacts facts;
        facts.end = wal::EndReason::switched;
        entry.facts = wal::encode_facts(facts);
        a.vault.contents().put(a.vault.contents().encode(bytes, {}), entry);
        a.remove(a.entry_key(name));
        a.vault.entries().publish(a.entry_key(name), entry);
        return a.failure_of(name);
    };
    const auto built = [](const WalOptions& options) {
        return WalBuilder(options).record(100).switch_segment().segment(0);
    };
    CHECK(plant(built({.first = {2, 9}, .system_identifier = 42})) == ErrorKind::foreign);
    CHECK(plant(built({.first = {2, 8}})) == ErrorKind::foreign);
    CHECK(plant(built({.first = {3, 9}})) == ErrorKind::foreign);
    CHECK(plant(Bytes(1 << 20, std::byte{0})) == ErrorKind::corrupt);
    CHECK(plant(Bytes{}) == ErrorKind::corrupt);
    Bytes shorter = built({.first = {2, 9}});
    shorter.resize(shorter.size() / 2);
    CHECK(plant(shorter) == ErrorKind::corrupt);
    CHECK_FALSE(plant(built({.first = {2, 9}})).has_value());
}

TEST_CASE("an entry of another file or cluster under the name is refused", "[recovery]") {
    Archive a;
    const std::string key = a.entry_key(a.fork.parent[0].name);
    const vault::Entry sound = a.vault.entries().find(key)->entry;
    const auto plant = [&](const vault::Entry& entry) {
        a.remove(key);
        a.vault.entries().publish(key, entry);
        return a.failure_of(a.fork.parent[0].name);
    };
    vault::Entry entry = sound;
    entry.file_name = a.fork.parent[1].name;
    CHECK(plant(entry) == ErrorKind::corrupt);
    entry = sound;
    entry.system_identifier = 42;
    CHECK(plant(entry) == ErrorKind::corrupt);
    entry = sound;
    entry.facts.clear();
    CHECK(plant(entry) == ErrorKind::corrupt);
    CHECK_FALSE(plant(sound).has_value());
}

TEST_CASE("a history that cannot be parsed is not delivered (fault 43)", "[recovery]") {
    Archive a;
    for (const char* text : {"", "nonsense\n", "1\t0/7", "2\t0/700000\tx\n"}) {
        vault::Entry entry;
        entry.kind = vault::FileKind::history;
        entry.file_name = "00000002.history";
        entry.system_identifier = test_system;
        entry.content_id = a.vault.contents().id_of(as_bytes(text));
        a.vault.contents().put(a.vault.contents().encode(as_bytes(text), {}), entry);
        const std::string key = a.vault.layout().history_key(entry.file_name);
        a.remove(key);
        a.vault.entries().publish(key, entry);
        CHECK(a.failure_of(entry.file_name) == ErrorKind::corrupt);
    }
}

TEST_CASE("WAL that was damaged when it was archived is refused unless wanted", "[recovery]") {
    Archive a;
    const Host host("db3");
    WalFile damaged = make_line({.first = {1, 0x30}, .count = 1}).front();
    damaged.bytes[50000] ^= std::byte{1};
    host.adopt(a.vault, 1);
    host.push(a.vault, damaged);
    CHECK(a.failure_of(damaged.name) == ErrorKind::corrupt);
    const recovery::Fetcher deliverer(a.vault,
                                      {.system_identifier = test_system,
                                       .segment_size = test_segment_size,
                                       .on_damaged_wal = recovery::DamagedWalPolicy::deliver});
    CHECK(equal(deliverer.fetch(damaged.name)->bytes, damaged.bytes));
}

TEST_CASE("a fault of any call gives the right bytes or an error, never \"not there\"",
          "[recovery][faults]") {
    Archive a;
    for (const FaultMode mode :
         {FaultMode::error_before, FaultMode::error_after, FaultMode::crash_before,
          FaultMode::torn_read, FaultMode::bit_flip})
        for (const auto& [name, bytes] : a.files)
            for (std::uint64_t n = 1;; ++n) {
                INFO(name << " call " << n << " mode " << static_cast<int>(mode));
                FaultyStorage faulty(a.storage);
                faulty.inject({.at = n, .mode = mode});
                std::optional<Bytes> fetched;
                bool has_answer = true;
                try {
                    fetched = fetch(make_vault(faulty), name);
                } catch (const Error&) {
                    has_answer = false;
                }
                if (faulty.call_count() < n) break;
                if (has_answer) {
                    REQUIRE(fetched.has_value());
                    CHECK(equal(*fetched, bytes));
                }
            }
}

TEST_CASE("a fault of any call while something absent is asked for is no answer (fault 44)",
          "[recovery][faults]") {
    Archive a;
    for (const char* name : {"000000020000000000000009", "000000010000000000000007",
                             "00000003.history", "000000010000000000000005.partial"})
        for (std::uint64_t n = 1;; ++n) {
            FaultyStorage faulty(a.storage);
            faulty.inject({.at = n});
            const auto failure =
                kind_of([&] { static_cast<void>(fetch(make_vault(faulty), name)); });
            if (faulty.call_count() < n) {
                CHECK(n > 1);
                break;
            }
            CHECK(failure == ErrorKind::unavailable);
        }
}
