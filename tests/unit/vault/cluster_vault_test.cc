#include "vault/cluster_vault.h"

#include "base/random.h"
#include "support/archive_fixture.h"
#include "support/counting_storage.h"
#include "support/errors.h"
#include "support/faulty_storage.h"
#include "support/memory_storage.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::vault;
using codec::CodecId;
using crypto::Suite;
using storage::MemoryStorage;

namespace {

constexpr std::string_view file_name = "000000010000000000000007";

Bytes random_bytes(std::size_t size) {
    Bytes bytes(size);
    fill_random(bytes);
    return bytes;
}

Entry put(const ClusterVault& vault, ByteView plain, CodecId method = CodecId::zstd) {
    Entry entry;
    entry.file_name = file_name;
    entry.system_identifier = test_system;
    entry.content_id = vault.contents().id_of(plain);
    vault.contents().put(vault.contents().encode(plain, {.method = method}), entry);
    return entry;
}

Bytes read(const ClusterVault& vault, const Entry& entry) {
    Bytes plain;
    vault.contents().read(entry, plain);
    Bytes observed(entry.plain_size);
    vault.contents().show(entry, [&](std::size_t offset, ByteView part) {
        std::copy(part.begin(), part.end(), observed.begin() + static_cast<std::ptrdiff_t>(offset));
    });
    CHECK(equal(observed, plain));
    return plain;
}

}  // namespace

TEST_CASE("small contents stay in the entry, larger ones get an object", "[vault][cluster]") {
    const Suite suite = GENERATE(Suite::none, Suite::aes_256_gcm);
    MemoryStorage storage;
    const ClusterVault vault = make_vault(storage, suite);
    for (const std::size_t size : {0U, 1U, 60000U, 65000U, 65536U, 65537U, 300000U}) {
        INFO(size);
        storage.remove(keys_of(storage));
        const Bytes plain = random_bytes(size);
        const Entry entry = put(vault, plain);
        REQUIRE(entry.pieces.size() == 1);
        CHECK(entry.plain_size == size);
        CHECK(entry.pieces[0].content_id == entry.content_id);
        const bool is_inlined = entry.pieces[0].stored_size <= inline_size_max;
        CHECK(is_inlined == (size <= 65000));
        CHECK(entry.inlined.empty() != is_inlined);
        CHECK(keys_of(storage).empty() == is_inlined);
        if (!is_inlined) {
            const std::string key = vault.layout().content_key(file_name, entry.content_id);
            CHECK(get(storage, key).size() == entry.pieces[0].stored_size);
        }
        CHECK(vault.contents().has(entry));
        CHECK(equal(read(vault, entry), plain));
        CHECK(decode_entry(encode_entry(entry)) == entry);
    }
}

TEST_CASE("a file larger than 32 MiB is cut into pieces", "[vault][cluster]") {
    MemoryStorage storage;
    const ClusterVault vault = make_vault(storage);
    Bytes plain(2 * piece_size_max + 1000);
    std::fill(plain.begin(), plain.end(), std::byte{0});
    for (std::size_t i = 0; i < plain.size(); i += 4096) plain[i] = static_cast<std::byte>(i >> 20);
    fill_random(MutableByteView(plain).last(1000));
    const Entry entry = put(vault, plain, CodecId::lz4);
    REQUIRE(entry.pieces.size() == 3);
    CHECK(entry.inlined.empty());
    CHECK(entry.pieces[0].plain_size == piece_size_max);
    CHECK(entry.pieces[2].plain_size == 1000);
    CHECK(keys_of(storage).size() == 3);
    CHECK(equal(read(vault, decode_entry(encode_entry(entry))), plain));

    Entry exchanged = entry;
    std::swap(exchanged.pieces[0], exchanged.pieces[1]);
    CHECK(mentions(message_of([&] { read(vault, exchanged); }), "content id of"));
    storage.remove(std::vector<std::string>{
        vault.layout().content_key(file_name, entry.pieces[1].content_id)});
    CHECK_FALSE(vault.contents().has(entry));
    CHECK(kind_of([&] { read(vault, entry); }) == ErrorKind::corrupt);
}

TEST_CASE("content that is there already is used, whatever codec it came through",
          "[vault][cluster]") {
    MemoryStorage storage;
    const ClusterVault vault = make_vault(storage);
    Bytes plain(1 << 20);
    fill_random(MutableByteView(plain).first(200000));
    const Entry first = put(vault, plain, CodecId::zstd);
    const std::string key = vault.layout().content_key(file_name, first.content_id);
    const Bytes object = get(storage, key);
    const Entry second = put(vault, plain, CodecId::none);
    CHECK(equal(get(storage, key), object));
    CHECK(second.pieces[0].stored_size == object.size());
    CHECK(equal(read(vault, second), plain));
}

TEST_CASE("where content is damaged or another object, a further copy is put and read",
          "[vault][cluster]") {
    MemoryStorage storage;
    const ClusterVault vault = make_vault(storage);
    const Bytes plain = random_bytes(100000);
    const Entry entry = put(vault, plain);
    const std::string key = vault.layout().content_key(file_name, entry.content_id);
    const Bytes object = get(storage, key);
    const Entry other = put(vault, random_bytes(100000));
    const Bytes other_object =
        get(storage, vault.layout().content_key(file_name, other.content_id));
    for (const Bytes& spoiled :
         {with_bit_flipped(object, 99999), other_object, Bytes{}, to_bytes(as_bytes("rubbish"))}) {
        storage.overwrite(key, spoiled);
        CHECK(kind_of([&] { static_cast<void>(vault.contents().has(entry)); }) ==
              ErrorKind::corrupt);
        CHECK_FALSE(vault.contents().has_whole(entry));
        CHECK(kind_of([&] { read(vault, entry); }) == ErrorKind::corrupt);
        const Entry again = put(vault, plain, CodecId::lz4);
        CHECK(equal(get(storage, key), spoiled));  // nothing is overwritten
        CHECK(again.pieces[0].stored_size == get(storage, key + ".1").size());
        CHECK(vault.contents().has_whole(entry));
        CHECK(equal(read(vault, entry), plain));
        CHECK(equal(read(vault, again), plain));
        // The copy is found, not put again; also when the damaged object has been moved away.
        const std::size_t count = keys_of(storage).size();
        put(vault, plain);
        CHECK(keys_of(storage).size() == count);
        storage.remove(std::vector<std::string>{key});
        CHECK(equal(read(vault, entry), plain));
        storage.remove(std::vector<std::string>{key + ".1"});
        CHECK_FALSE(vault.contents().has(entry));
        static_cast<void>(storage.put_new(key, object));
    }
}

TEST_CASE("a copy is bound to its own name, and there are at most nine", "[vault][cluster]") {
    MemoryStorage storage;
    const ClusterVault vault = make_vault(storage);
    const Bytes plain = random_bytes(100000);
    const Entry entry = put(vault, plain);
    const std::string key = vault.layout().content_key(file_name, entry.content_id);
    const Bytes object = get(storage, key);
    storage.overwrite(key, as_bytes("rubbish"));
    static_cast<void>(storage.put_new(key + ".1", object));  // moved, so not what it says
    CHECK(kind_of([&] { read(vault, entry); }) == ErrorKind::corrupt);
    for (std::uint32_t copy = 2; copy <= content_copy_max; ++copy) {
        put(vault, plain);
        const std::string newest = ClusterLayout::content_copy_key(key, copy);
        CHECK(equal(read(vault, entry), plain));
        storage.overwrite(newest, as_bytes("rubbish"));
    }
    CHECK(mentions(message_of([&] { put(vault, plain); }), key));
    CHECK(mentions(message_of([&] { read(vault, entry); }), key));
    CHECK(keys_of(storage).size() == 1 + content_copy_max);
}

TEST_CASE("a store that fails while copies are looked for is no damage",
          "[vault][cluster][faults]") {
    MemoryStorage storage;
    const ClusterVault vault = make_vault(storage);
    const Bytes plain = random_bytes(100000);
    const Entry entry = put(vault, plain);
    const std::string key = vault.layout().content_key(file_name, entry.content_id);
    storage.overwrite(key, as_bytes("rubbish"));
    put(vault, plain);
    for (std::uint64_t n = 1;; ++n) {
        storage::FaultyStorage faulty(storage);
        faulty.inject({.at = n});
        Bytes found;
        const auto failure = kind_of([&] { make_vault(faulty).contents().read(entry, found); });
        if (faulty.call_count() < n) {
            CHECK(equal(found, plain));
            CHECK(n == 4);  // the content, the listing, the copy
            break;
        }
        CHECK(failure == ErrorKind::unavailable);
    }
}

TEST_CASE("an entry is published once, and compared after that (invariants 4 and 5)",
          "[vault][cluster]") {
    MemoryStorage storage;
    const ClusterVault vault = make_vault(storage);
    const std::string key = vault.layout().segment_key(file_name);
    CHECK_FALSE(vault.entries().find(key).has_value());
    const Entry entry = put(vault, as_bytes("content"));
    CHECK(kind_of([&] { vault.entries().make_durable(key, entry); }) == ErrorKind::unavailable);
    storage.remove(keys_of(storage));
    CHECK(vault.entries().publish(key, entry).outcome == PublishOutcome::created);
    const Bytes object = get(storage, key);
    CHECK(vault.entries().publish(key, entry).outcome == PublishOutcome::identical);
    Entry by_another = entry;
    by_another.writer.host = "db2";
    CHECK(vault.entries().publish(key, by_another).outcome == PublishOutcome::identical);
    const Published taken = vault.entries().publish(key, put(vault, as_bytes("other")));
    CHECK(taken.outcome == PublishOutcome::different);
    REQUIRE(taken.present.has_value());
    CHECK(taken.present->entry == entry);
    CHECK(taken.present->size == object.size());
    vault.entries().make_durable(key, entry);
    CHECK(equal(get(storage, key), object));
    const auto stored = vault.entries().find(key);
    REQUIRE(stored.has_value());
    CHECK(stored->entry == entry);
    CHECK(stored->size == object.size());
}

TEST_CASE("an entry under another name, or of another kind, is not taken (invariant 14)",
          "[vault][cluster]") {
    MemoryStorage storage;
    const ClusterVault vault = make_vault(storage);
    const std::string key = vault.layout().segment_key(file_name);
    vault.entries().publish(key, put(vault, as_bytes("content")));
    const std::string other = vault.layout().segment_key("000000010000000000000008");
    storage.overwrite(other, get(storage, key));
    CHECK(mentions(message_of([&] { static_cast<void>(vault.entries().find(other)); }), other));
    CHECK(vault.claims().put_identity({}));
    storage.overwrite(other, get(storage, vault.layout().identity_key()));
    CHECK(kind_of([&] { static_cast<void>(vault.entries().find(other)); }) == ErrorKind::corrupt);
}

TEST_CASE("content that is not the one that the entry names is refused (invariant 14)",
          "[vault][cluster]") {
    const Suite suite = GENERATE(Suite::none, Suite::aes_256_gcm);
    MemoryStorage storage;
    const ClusterVault vault = make_vault(storage, suite);
    const Bytes plain = random_bytes(100000);
    const Entry entry = put(vault, plain);
    const std::string key = vault.layout().content_key(file_name, entry.content_id);
    const auto refused = [&](const Payload& payload) {
        storage.overwrite(
            key, seal_object(vault.keys(), {.kind = ObjectKind::content, .key = key}, payload));
        return kind_of([&] { read(vault, entry); }) == ErrorKind::corrupt;
    };
    // Whole and in its place, made by somebody who has the public key, but not these bytes.
    const Bytes zeros(plain.size(), std::byte{0});
    CHECK(refused({CodecId::none, zeros.size(), entry.content_id, zeros}));
    CHECK(refused({CodecId::none, zeros.size(), vault.contents().id_of(zeros), zeros}));
    CHECK(refused({CodecId::none, plain.size() - 1, entry.content_id,
                   ByteView(plain).first(plain.size() - 1)}));
    CHECK(refused(
        {CodecId::none, plain.size(), entry.content_id, ByteView(plain).first(plain.size() - 1)}));
    // With fitting ids and sizes, what the codec makes of the bytes decides; random ones may also
    // look like a layout from the future.
    storage.overwrite(key, seal_object(vault.keys(), {.kind = ObjectKind::content, .key = key},
                                       {CodecId::zstd, plain.size(), entry.content_id, plain}));
    CHECK(kind_of([&] { read(vault, entry); }).has_value());
    CHECK_FALSE(refused({CodecId::none, plain.size(), entry.content_id, plain}));
}

TEST_CASE("the newest claim counts, and a generation is made once", "[vault][cluster]") {
    MemoryStorage storage;
    const ClusterVault vault = make_vault(storage);
    CHECK_FALSE(vault.claims().find("00000001").has_value());
    Claim claim{.timeline = 1, .generation = 1, .instance = {}, .host = "db1", .pgdata = "/a"};
    CHECK(vault.claims().put("00000001", claim));
    Claim other = claim;
    other.host = "db2";
    CHECK_FALSE(vault.claims().put("00000001", other));
    CHECK(vault.claims().find("00000001") == claim);
    for (std::uint32_t generation = 2; generation <= 12; ++generation) {
        other.generation = generation;
        CHECK(vault.claims().put("00000001", other));
    }
    CHECK(vault.claims().find("00000001")->generation == 12);
    CHECK_FALSE(vault.claims().find("00000002").has_value());
    // A later one without those before it does not count: nothing vouches for what it follows.
    other.timeline = 2;
    other.generation = 2;
    CHECK(vault.claims().put("00000002", other));
    CHECK_FALSE(vault.claims().find("00000002").has_value());
}

TEST_CASE("a damaged generation of a claim is told to who looks for it, and stops nobody else",
          "[vault][cluster]") {
    MemoryStorage storage;
    const ClusterVault vault = make_vault(storage);
    Claim claim{.timeline = 1, .generation = 1, .instance = {}, .host = "db1", .pgdata = "/a"};
    for (; claim.generation <= 3; ++claim.generation) CHECK(vault.claims().put("00000001", claim));
    const std::string second = vault.layout().claim_key("00000001", 2);
    storage.overwrite(second, as_bytes("rubbish"));
    CHECK(
        mentions(message_of([&] { static_cast<void>(vault.claims().find("00000001")); }), second));
    const auto newest = vault.claims().find_newest("00000001");
    REQUIRE(newest.has_value());
    CHECK(newest->generation == 3);
    CHECK(newest->claim.has_value());
    CHECK(newest->damage.empty());
    storage.overwrite(vault.layout().claim_key("00000001", 3), as_bytes("rubbish"));
    const auto damaged = vault.claims().find_newest("00000001");
    CHECK(damaged->generation == 3);
    CHECK_FALSE(damaged->claim.has_value());
    CHECK(mentions(damaged->damage, vault.layout().claim_key("00000001", 3)));
}

TEST_CASE("a record went through no codec", "[vault][cluster]") {
    MemoryStorage storage;
    const ClusterVault vault = make_vault(storage);
    const ObjectPlace place{.kind = ObjectKind::claim, .key = "clusters/main/1/claims/00000001.1"};
    CHECK_FALSE(vault.objects().get_record(place).has_value());
    const Bytes body = to_bytes(as_bytes("body"));
    static_cast<void>(vault.objects().put(
        place, {.codec = CodecId::zstd, .plain_size = 100, .content_id = {}, .encoded = body}));
    const auto object = vault.objects().get(place);
    REQUIRE(object.has_value());
    CHECK(equal(object->unsealed.encoded, body));
    CHECK(object->size == get(storage, std::string(place.key)).size());
    CHECK(mentions(message_of([&] { static_cast<void>(vault.objects().get_record(place)); }),
                   "record is encoded"));
}

TEST_CASE("a cluster's identity is registered once", "[vault][cluster]") {
    MemoryStorage storage;
    const ClusterVault vault = make_vault(storage);
    CHECK_FALSE(vault.claims().find_identity().has_value());
    put_test_identity(vault);
    CHECK_FALSE(vault.claims().put_identity({}));
    CHECK(vault.claims().find_identity()->system_identifier == test_system);
}

TEST_CASE("an inlined content asks the store for nothing", "[vault][cluster]") {
    MemoryStorage memory;
    storage::CountingStorage counting(memory);
    const ClusterVault vault = make_vault(counting);
    const Entry entry = put(vault, as_bytes("small"));
    CHECK(as_text(read(vault, entry)) == "small");
    CHECK(vault.contents().has(entry));
    CHECK(counting.counts() == storage::StorageCounts{});
}
