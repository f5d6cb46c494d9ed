#include "inspect/verifier.h"

#include "base/format.h"
#include "storage/wrappers/forwarding_storage.h"
#include "support/counting_storage.h"
#include "support/faulty_storage.h"
#include "support/inspected_archive.h"
#include "vault/repository.h"

#include <catch2/catch.hpp>

#include <functional>

using namespace walden;
using namespace walden::test;
using catalog::ProblemKind;
using inspect::Depth;
using inspect::VerifyReport;
using storage::FaultyStorage;
using storage::MemoryStorage;

namespace {

/// Publishes something in the middle of each listing: before half of the objects are visited.
class BusyStorage final : public storage::ForwardingStorage {
public:
    BusyStorage(ObjectStorage& inner, std::function<void()> work)
        : ForwardingStorage(inner), work_(std::move(work)) {}

    void list(const std::string& prefix, const std::string& start_after,
              const std::function<bool(const vault::ObjectInfo&)>& visit) override {
        // Half from before, half from after: what a listing page by page may show.
        std::vector<vault::ObjectInfo> before;
        inner().list(prefix, start_after, [&](const vault::ObjectInfo& info) {
            before.push_back(info);
            return true;
        });
        before.resize(before.size() / 2);
        work_();
        for (const vault::ObjectInfo& info : before)
            if (!visit(info)) return;
        inner().list(prefix, before.empty() ? start_after : before.back().key, visit);
    }

private:
    std::function<void()> work_;
};

std::vector<ProblemKind> kinds_of(const VerifyReport& report) {
    std::vector<ProblemKind> kinds;
    for (const catalog::Problem& problem : report.problems) kinds.push_back(problem.kind);
    return kinds;
}

VerifyReport verify_with(const vault::ClusterVault& vault, const WalFile& newest) {
    inspect::VerifySettings settings;
    settings.worker_count = 1;
    settings.high_water = inspect::HighWater{newest.name, vault.contents().id_of(newest.bytes)};
    return verify_cluster(vault, settings);
}

}  // namespace

TEST_CASE("a sound archive is good, every byte and record was read (invariant 34)",
          "[inspect][verify]") {
    InspectedArchive a;
    storage::CountingStorage counting(a.storage);
    const auto report = verify(make_vault(counting));
    CHECK(problems_of(report).empty());
    CHECK(report.object_count == keys_of(a.storage).size());
    CHECK(report.segment_count == 4);
    CHECK(report.record_count > 150);
    CHECK(report.plain_bytes == 4 * (1U << 20) + 2 * (1U << 20) + a.fork.history.bytes.size() +
                                    a.label.bytes.size());  // segments; partial, loser; texts
    std::uint64_t stored = 0;
    a.storage.list("", "", [&](const vault::ObjectInfo& info) {
        stored += info.size;
        return true;
    });
    CHECK(report.stored_bytes == stored);
    REQUIRE(report.notes.size() == 1);
    CHECK(mentions(report.notes[0], "conflict kept"));
    CHECK(counting.counts().put_count == 0);
    CHECK(counting.counts().remove_count == 0);
}

TEST_CASE("the verdict does not depend on the number of workers (invariant 42)",
          "[inspect][verify]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const Host host;
    const auto line = make_line({.count = 70, .record_count = 2});
    for (const WalFile& file : line) host.push(vault, file);
    storage.remove(std::vector<std::string>{vault.layout().segment_key(line[31].name)});
    storage.overwrite(vault.layout().segment_key(line[64].name), as_bytes("rubbish"));
    inspect::VerifySettings settings;
    std::string first;
    for (const std::size_t workers : {1U, 2U, 5U}) {
        settings.worker_count = workers;
        std::uint64_t done = 0;
        settings.progress = [&](std::uint64_t now, std::uint64_t all) {
            CHECK(now == done + 1);
            CHECK(all == 69);
            done = now;
        };
        const auto report = verify_cluster(vault, settings);
        CHECK(done == 69);
        if (first.empty()) first = problems_of(report);
        CHECK(problems_of(report) == first);
        CHECK(report.problems.size() == 3);  // the gap twice: hole, and missing predecessor
    }
}

TEST_CASE("a shallow check needs no read key, a full one says that it does", "[inspect][verify]") {
    InspectedArchive a;
    const vault::ClusterVault put(a.storage, test_put_keyring(),
                                  vault::ClusterLayout(test_cluster, test_system), 1);
    CHECK(kind_of([&] { static_cast<void>(verify(put)); }) == ErrorKind::usage);
    inspect::VerifySettings settings;
    settings.depth = Depth::shallow;
    const auto report = verify_cluster(put, settings);
    CHECK(problems_of(report).empty());
    CHECK(report.plain_bytes == 0);
    CHECK(report.segment_count == 4);

    // A content exchanged for another whole one is seen without opening it.
    const std::string key = a.content_key(a.fork.parent[0]);
    const Bytes object = get(a.storage, key);
    a.storage.overwrite(key, get(a.storage, a.content_key(a.fork.child[0])));
    CHECK(mentions(problems_of(verify_cluster(put, settings)), key));
    a.remove(key);
    CHECK(kinds_of(verify_cluster(put, settings)) == std::vector{ProblemKind::missing});
}

TEST_CASE("a hole is a gap, named once for each missing segment", "[inspect][verify]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const Host host;
    const auto line = make_line({.count = 6, .record_count = 2});
    for (const WalFile& file : line) host.push(vault, file);
    for (const std::size_t i : {2U, 3U})
        storage.remove(std::vector<std::string>{vault.layout().segment_key(line[i].name)});
    const std::string text = problems_of(verify(vault));
    CHECK(mentions(text, "gap: " + vault.layout().segment_key(line[2].name)));
    CHECK(mentions(text, "gap: " + vault.layout().segment_key(line[3].name)));
}

TEST_CASE("a hole just before a timeline's first segment is a gap", "[inspect][verify]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const Fork fork = make_fork();
    // The old primary died before it archived segment 6; the standby never had to.
    Host("db1").push(vault, fork.parent[0]);
    const Host standby("db2");
    standby.push(vault, fork.history);
    for (const WalFile& file : fork.child) standby.push(vault, file);
    const auto report = verify(vault);
    REQUIRE(report.problems.size() == 1);
    CHECK(report.problems[0].kind == ProblemKind::gap);
    CHECK(report.problems[0].object == vault.layout().segment_key(fork.parent[1].name));
    // An archive that begins with the timeline has no such hole.
    storage.remove(std::vector<std::string>{vault.layout().segment_key(fork.parent[0].name),
                                            vault.layout().claim_key("00000001", 1)});
    storage.remove(keys_of(storage, vault.layout().content_prefix() + "00000001"));
    CHECK(problems_of(verify(vault)).empty());
}

TEST_CASE("two neighbours of different lines are a fork (fault 22)", "[inspect][verify]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const auto line = make_line({.count = 2, .record_count = 2});
    const auto other = make_line({.count = 2, .seed = 3, .record_count = 2});
    const Host host;
    host.push(vault, line[0]);
    host.push(vault, line[1]);
    // Somebody with the keys replaced the first by the same segment of another line.
    const std::string key = vault.layout().segment_key(line[0].name);
    storage.remove(std::vector<std::string>{key});
    storage.remove(std::vector<std::string>{vault.layout().claim_key("00000001", 1)});
    Host("db2").push(vault, other[0]);
    const auto report = verify(vault);
    CHECK(mentions(problems_of(report), "fork: " + vault.layout().segment_key(line[1].name)));
}

TEST_CASE("a store rolled back is seen by the host that remembers more (fault 88)",
          "[inspect][verify]") {
    InspectedArchive a;
    CHECK(problems_of(verify_with(a.vault, a.fork.child[1])).empty());
    a.remove(a.segment_key(a.fork.child[1]));
    CHECK(problems_of(verify(a.vault)).empty());
    const auto report = verify_with(a.vault, a.fork.child[1]);
    REQUIRE(report.problems.size() == 1);
    CHECK(report.problems[0].object == a.segment_key(a.fork.child[1]));
    CHECK(mentions(report.problems[0].message, "rolled back"));
    // Another content under that name is no better.
    CHECK(kinds_of(verify_with(a.vault, {a.fork.child[0].name, a.loser.bytes})) ==
          std::vector{ProblemKind::missing});
}

TEST_CASE("damage that was archived as such differs from neighbours that do not continue",
          "[inspect][verify]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const Host host;
    auto line = make_line({.count = 2, .record_count = 5});
    line[0].bytes[5000] ^= std::byte{1};
    host.push(vault, line[0]);
    host.push(vault, line[1]);
    const auto report = verify(vault);
    CHECK(kinds_of(report) == std::vector{ProblemKind::wal_damaged});
    CHECK(report.problems[0].object == vault.layout().segment_key(line[0].name));

    // Each segment is sound by itself, the record that goes on from one to the next is not.
    MemoryStorage other;
    const auto other_vault = make_vault(other);
    put_test_identity(other_vault);
    const auto full_line = [](std::uint32_t seed) {
        WalBuilder builder({.first = {1, 5}, .seed = seed});
        while (builder.end_offset() < (1 << 20) + 50'000) builder.record(3000);
        builder.switch_segment();
        return std::vector<WalFile>{{"000000010000000000000005", builder.segment(0)},
                                    {"000000010000000000000006", builder.segment(1)}};
    };
    host.lose_state();
    host.push(other_vault, full_line(1)[0]);
    host.push(other_vault, full_line(2)[1]);
    CHECK(kinds_of(verify(other_vault)) == std::vector{ProblemKind::wal_mismatch});
}

TEST_CASE("a push that goes on during a verification raises no alarm (fault 87)",
          "[inspect][verify]") {
    const auto line = make_line({.count = 9, .record_count = 40});
    const auto small = make_line({.first = {2, 7}, .count = 2, .record_count = 2});
    for (const bool is_new_timeline : {false, true}) {
        MemoryStorage storage;
        const auto vault = make_vault(storage);
        put_test_identity(vault);
        const Host host;
        host.push(vault, line[0]);
        std::size_t next = 1;
        BusyStorage busy(storage, [&] {
            if (is_new_timeline && next == 1) host.push(vault, make_fork().history);
            const auto& source = is_new_timeline ? make_fork().child : line;
            if (next < source.size() + (is_new_timeline ? 1 : 0))
                host.push(vault, source[next - (is_new_timeline ? 1 : 0)]);
            ++next;
        });
        for (int round = 0; round < 4; ++round) {
            const auto report = verify(make_vault(busy));
            const std::string problems = problems_of(report);
            // Timeline 2 begins with 7, and 6 is not archived yet: that hole is real.
            if (is_new_timeline)
                for (const catalog::Problem& problem : report.problems)
                    CHECK(problem.kind == ProblemKind::gap);
            else
                CHECK(problems.empty());
        }
        CHECK(next >= 4);
    }
}

TEST_CASE("a push stopped at any call leaves an archive that verifies (fault 87)",
          "[inspect][verify]") {
    const WalFile file = make_line({.count = 1, .record_count = 40}).front();
    for (std::uint64_t n = 1;; ++n) {
        MemoryStorage storage;
        put_test_identity(make_vault(storage));
        FaultyStorage faulty(storage);
        faulty.inject({.at = n, .mode = storage::FaultMode::crash_before});
        const Host host;
        const auto failure = kind_of([&] { host.push(make_vault(faulty), file); });
        const auto report = verify(make_vault(storage));
        CHECK(problems_of(report).empty());
        if (!failure) break;
        const std::size_t left = keys_of(storage).size() - 1;
        CHECK(report.notes.size() == left);  // the claim, then the content
    }
}

TEST_CASE("a store that fails ends the verification, and is not taken for damage (fault 86)",
          "[inspect][verify]") {
    InspectedArchive a;
    FaultyStorage counted(a.storage);
    static_cast<void>(verify(make_vault(counted)));
    for (std::uint64_t n = 1; n <= counted.call_count(); ++n) {
        FaultyStorage faulty(a.storage);
        faulty.inject({.at = n});
        CHECK(kind_of([&] { static_cast<void>(verify(make_vault(faulty))); }) ==
              ErrorKind::unavailable);
    }
    // Wrong bytes once are looked at twice.
    for (std::uint64_t n = 2; n <= counted.call_count(); ++n) {
        FaultyStorage faulty(a.storage);
        faulty.inject({.at = n, .mode = storage::FaultMode::bit_flip});
        INFO("call " << n);
        CHECK(problems_of(verify(make_vault(faulty))).empty());
    }
}

TEST_CASE("one object of a newer format is a problem of its own, the rest is checked (fault 82)",
          "[inspect][verify]") {
    InspectedArchive a;
    crypto::RepositoryId id = test_repository();
    const auto later = std::make_shared<const crypto::KeyBundle>(test_read_bundle().rotate());
    CHECK(later->repository() == id);
    const std::string key = a.content_key(a.fork.parent[0]);
    a.storage.overwrite(key, seal_object(vault::ClusterKeyring(later, std::string(test_cluster)),
                                         {.kind = vault::ObjectKind::content, .key = key}, {}));
    a.remove(a.content_key(a.fork.child[0]));
    const auto report = verify(a.vault);
    CHECK(kinds_of(report) == std::vector{ProblemKind::unreadable, ProblemKind::corrupt});
}

TEST_CASE("the repository's own objects are checked (fault 85)", "[inspect][verify]") {
    MemoryStorage storage;
    const auto secret = crypto::UnlockSecret::make_random_key();
    vault::Repository::create(storage,
                              {.id = test_repository(),
                               .suite = crypto::Suite::aes_256_gcm,
                               .fencing_proven = true,
                               .created = "2026-11-22T14:32:00Z"},
                              &secret,
                              {.label = "a", .created = 1, .scrypt_cost = {}, .cluster = ""});
    rotate_keys(vault::Repository::open(storage, {}, [&] { return secret; }));
    CHECK(inspect::verify_repository(storage).empty());
    const auto problem_after = [&](const std::function<void(MemoryStorage&)>& spoil) {
        MemoryStorage spoilt;
        copy_storage(storage, spoilt);
        spoil(spoilt);
        const auto problems = inspect::verify_repository(spoilt);
        return problems.size() == 1
                   ? format("{} {}", to_string(problems[0].kind), problems[0].object)
                   : format("{} problems", problems.size());
    };
    const std::string first = vault::key_slot_key(secret.slot_id(), 1);
    const std::string second = vault::key_slot_key(secret.slot_id(), 2);
    const std::string descriptor(vault::descriptor_key);
    for (const std::string& key : {first, second, descriptor}) {
        const Bytes object = get(storage, key);
        for (std::size_t bit = 0; bit < object.size() * 8; bit += 101)
            CHECK(problem_after([&](MemoryStorage& s) {
                      s.overwrite(key, with_bit_flipped(object, bit));
                  }) == "corrupt " + key);
        CHECK(problem_after([&](MemoryStorage& s) {
                  s.overwrite(key, ByteView(object).first(object.size() / 2));
              }) == "corrupt " + key);
    }
    CHECK(problem_after([&](MemoryStorage& s) {
              s.remove(std::vector<std::string>{descriptor});
          }) == "missing " + descriptor);
    CHECK(problem_after([&](MemoryStorage& s) { s.remove(std::vector<std::string>{first}); }) ==
          "missing " + first);
    CHECK(problem_after([&](MemoryStorage& s) { s.overwrite(second, get(storage, first)); }) ==
          "corrupt " + second);
    for (const char* key : {"keys/other", "readme.txt", "walden.repository2"})
        CHECK(problem_after([&](MemoryStorage& s) { s.overwrite(key, as_bytes("x")); }) ==
              std::string("extra ") + key);
    // A removed holder is not damage: the newest generation of a slot, or the whole slot.
    CHECK(problem_after([&](MemoryStorage& s) { s.remove(std::vector<std::string>{second}); }) ==
          "0 problems");
}
