#include "backup_fixture.h"
#include "support/errors.h"
#include "support/faulty_storage.h"
#include "support/memory_storage.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;

namespace {

/// A bit of everything: empty, tiny, many small ones, several sections, zeros, a broken last page.
void fill(const DataDirectory& data) {
    data.write("base/5/empty", "");
    data.write("base/5/112", pages(3, 1));
    data.write("base/5/2619", pages(20'000, 2));
    data.write("base/5/2620", std::string(9000 * small_page, '\0') + pages(10, 3));
    data.write("base/5/2619_vm", pages(1, 4));
    data.write("pg_xact/0000", std::string(5000, 'x'));
    data.write("postgresql.conf", "port = 5432\n");
    for (int i = 0; i < 600; ++i) data.write(format("base/5/{}", 20'000 + i), pages(2, 100 + i));
}

std::uint64_t object_count(vault::ObjectStorage& storage, const std::string& part) {
    std::uint64_t count = 0;
    for (const std::string& key : keys_of(storage)) count += mentions(key, part) ? 1 : 0;
    return count;
}

}  // namespace

TEST_CASE("every file comes back byte for byte", "[backup]") {
    storage::MemoryStorage storage;
    const DataDirectory data;
    fill(data);
    Backups backups(storage, data);
    const auto outcome = backups.take();
    REQUIRE(outcome.commit);
    CHECK(backups.restore(outcome) == contents_of(data.path()));
    CHECK(outcome.commit->counts.files == 608);
    CHECK(outcome.commit->owners == std::vector{outcome.id});
}

TEST_CASE("what has not changed is named and not stored again", "[backup]") {
    storage::MemoryStorage storage;
    const DataDirectory data;
    fill(data);
    Backups backups(storage, data);
    const auto first = backups.take();
    const auto second = backups.take();
    CHECK(second.commit->parent == first.id);
    CHECK(second.commit->counts.stored_bytes < 40'000);
    CHECK(object_count(storage, second.id.text() == first.id.text()
                                    ? "none"
                                    : to_string(second.id) + "/packs/") == 0);
    CHECK(backups.restore(second) == contents_of(data.path()));

    data.write_page("base/5/2619", 17'000, "another text");
    const auto third = backups.take();
    CHECK(backups.restore(third) == contents_of(data.path()));
    // One page, one section of 128 KiB, the index.
    CHECK(third.commit->counts.stored_bytes < 200'000);
    // The backups before are as they were.
    CHECK(backups.restore(second) != contents_of(data.path()));
}

TEST_CASE("a full backup names nothing older", "[backup]") {
    storage::MemoryStorage storage;
    const DataDirectory data;
    fill(data);
    Backups backups(storage, data);
    static_cast<void>(backups.take());
    const auto full = backups.take({.is_full = true});
    CHECK_FALSE(full.commit->parent);
    CHECK(full.commit->owners == std::vector{full.id});
    CHECK(full.commit->counts.referenced_pages == 0);
}

TEST_CASE("files that shrink, grow, go and come are as they are", "[backup]") {
    storage::MemoryStorage storage;
    const DataDirectory data;
    fill(data);
    Backups backups(storage, data);
    static_cast<void>(backups.take());
    data.write("base/5/2619", data.read("base/5/2619").substr(0, 8192 * small_page));
    data.write("base/5/112", data.read("base/5/112") + "half a page");
    data.write("base/5/2620", "");
    data.remove("base/5/20007");
    data.write("base/5/empty", pages(1, 9));
    data.write("base/6/1", pages(8193, 5));
    const auto outcome = backups.take();
    CHECK(backups.restore(outcome) == contents_of(data.path()));
}

TEST_CASE("a pack of which little is used is left by and by", "[backup]") {
    storage::MemoryStorage storage;
    const DataDirectory data;
    data.write("base/5/1", pages(4000, 1));
    Backups backups(storage, data);
    const auto first = backups.take();
    // Two thirds of the only pack go.
    data.write("base/5/1", pages(2700, 2) + data.read("base/5/1").substr(2700 * small_page));
    const auto second = backups.take();
    CHECK(second.commit->owners == std::vector{first.id, second.id});
    const auto third = backups.take();
    CHECK(third.commit->owners == std::vector{second.id, third.id});
    CHECK(third.commit->counts.stored_bytes < second.commit->counts.stored_bytes);
    CHECK(backups.restore(third) == contents_of(data.path()));
    const auto fourth = backups.take();
    CHECK(fourth.commit->counts.stored_bytes < 20'000);
}

TEST_CASE("a backup that was killed is gone on with", "[backup]") {
    storage::MemoryStorage memory;
    storage::FaultyStorage storage(memory);
    const DataDirectory data;
    // Incompressible: several packs.
    std::mt19937_64 random(1);
    for (int file = 0; file < 6; ++file) {
        std::string text(16 << 20, '\0');
        for (std::size_t i = 0; i + 8 <= text.size(); i += 8) {
            const std::uint64_t number = random();
            std::memcpy(text.data() + i, &number, 8);
        }
        data.write(format("base/5/{}", 100 + file), text);
    }
    Backups backups(storage, data);
    // The fifth pack is never stored; those before are, with parts of an index.
    storage.inject({.at = 12,
                    .mode = storage::FaultMode::crash_before,
                    .verb = storage::StorageVerb::put_new});
    CHECK(error_of([&] { static_cast<void>(backups.take({.packs_per_part = 1})); }));
    storage.reset();
    const auto parents = backups.find_parents();
    REQUIRE(parents.outcomes.size() == 1);
    CHECK_FALSE(parents.outcomes[0].commit);
    CHECK_FALSE(parents.outcomes[0].index.empty());
    const auto outcome = backups.take();
    REQUIRE(outcome.commit);
    CHECK(outcome.commit->counts.referenced_pages > 20'000);
    CHECK(outcome.commit->counts.stored_bytes < (std::uint64_t{80} << 20));
    CHECK(outcome.commit->owners.size() == 2);
    CHECK(backups.restore(outcome) == contents_of(data.path()));
}

TEST_CASE("damage in the store is found by a restore and never written", "[backup]") {
    storage::MemoryStorage storage;
    const DataDirectory data;
    fill(data);
    Backups backups(storage, data);
    const auto outcome = backups.take();
    const std::string kind = GENERATE("/packs/", "/maps/");
    const std::string how = GENERATE("flip", "cut", "remove", "swap");
    std::string key;
    for (const std::string& candidate : keys_of(storage))
        if (mentions(candidate, kind)) key = candidate;
    const Bytes object = get(storage, key);
    storage.remove(std::vector{key});
    if (how == "flip")
        static_cast<void>(storage.put_new(key, with_bit_flipped(object, object.size() * 4)));
    if (how == "cut")
        static_cast<void>(storage.put_new(key, ByteView(object).first(object.size() / 2)));
    if (how == "swap") {
        for (const std::string& other : keys_of(storage))
            if (mentions(other, kind == "/packs/" ? "/maps/" : "/packs/")) {
                static_cast<void>(storage.put_new(key, get(storage, other)));
                break;
            }
    }
    INFO(kind << " " << how);
    const auto failure = kind_of([&] { static_cast<void>(backups.restore(outcome)); });
    // The last map is the usage, which a restore does not need.
    if (mentions(key, "/maps/") && outcome.commit->usage.number != outcome.index.back().number) {
        CHECK_FALSE(failure);
        return;
    }
    CHECK(failure == (how == "remove" ? ErrorKind::missing : ErrorKind::corrupt));
}

TEST_CASE("random changes, kills and backups: what is restored is what was there", "[backup]") {
    const auto seed = GENERATE(range(1U, 9U));
    INFO("seed " << seed);
    std::mt19937 random(seed);
    storage::MemoryStorage memory;
    storage::FaultyStorage storage(memory);
    const DataDirectory data;
    data.write("base/5/1", pages(9000, seed));
    for (int i = 2; i < 40; ++i)
        data.write(format("base/5/{}", i), pages(random() % 200, seed + i));
    Backups backups(storage, data);
    std::vector<std::pair<vault::BackupOutcome, std::map<std::string, std::string>>> taken;
    for (int round = 0; round < 8; ++round) {
        for (unsigned change = random() % 30; change > 0; --change) {
            const std::string name = format("base/5/{}", 1 + random() % 39);
            std::string content = data.read(name);
            switch (random() % 4) {
                case 0: content.resize(content.size() * (random() % 3) / 2, '\0'); break;
                case 1: content += pages(random() % 300, random()); break;
                case 2: content = pages(random() % 150, random()); break;
                default:
                    if (content.size() >= small_page) content[random() % content.size()] ^= 1;
            }
            data.write(name, content);
        }
        if (random() % 3 == 0)
            storage.inject({.at = 1 + random() % 12,
                            .mode = storage::FaultMode::crash_after,
                            .verb = storage::StorageVerb::put_new});
        try {
            taken.emplace_back(backups.take({.packs_per_part = 1 + random() % 2}),
                               contents_of(data.path()));
        } catch (const Error&) {
        }
        storage.reset();
    }
    REQUIRE_FALSE(taken.empty());
    for (const auto& [outcome, wanted] : taken) CHECK(backups.restore(outcome) == wanted);
}
