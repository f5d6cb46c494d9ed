#include "vault/backup_record.h"

#include "support/archive_fixture.h"
#include "support/errors.h"
#include "support/memory_storage.h"
#include "vault/backup_store.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::vault;

namespace {

BackupId id_of(std::string_view text) {
    return *parse_backup_id(text);
}

const BackupId some_id = id_of("20261129-080000-3f9c");
const BackupId other_id = id_of("20261128-080000-0001");

Writer some_writer() {
    Writer writer;
    writer.instance.fill(std::byte{7});
    writer.time = 1'700'000'000;
    writer.host = "db1#4f2c81aa";
    writer.version = "0.1.0";
    return writer;
}

BackupIntent sample_intent() {
    return {.id = some_id,
            .system_identifier = 73,
            .start_lsn = 0x2000028,
            .start_timeline = 3,
            .parents = {other_id},
            .writer = some_writer(),
            .label = "nightly",
            .pgdata = "/var/lib/postgresql/15/main",
            .mode = BackupMode::direct};
}

BackupCommit sample_commit() {
    BackupCommit commit;
    commit.start_lsn = 0x2000028;
    commit.start_timeline = 3;
    commit.checkpoint_lsn = 0x2000060;
    commit.redo_lsn = 0x2000028;
    commit.stop_lsn = 0x3000000;
    commit.stop_timeline = 3;
    commit.format = {.control_version = 1300,
                     .catalog_version = 202209061,
                     .major_version = 15,
                     .page_size = 8192,
                     .pages_per_file = 131072,
                     .segment_size = 16 << 20,
                     .checksum_version = 1};
    commit.usage = {.number = 4, .plain_size = 100, .sha256 = {}};
    commit.is_from_standby = true;
    commit.backup_label = "START WAL LOCATION: 0/2000028\n";
    commit.tablespace_map = "16384 /srv/fast\n";
    commit.control_file = Bytes(300, std::byte{5});
    commit.directory_mode = 0750;
    commit.tablespaces = {{.oid = 16384, .path = "/srv/fast"}};
    commit.began = 1'700'000'000;
    commit.ended = 1'700'000'100;
    commit.counts = {.files = 1000,
                     .plain_bytes = 1 << 30,
                     .stored_bytes = 1 << 26,
                     .read_bytes = 1 << 29,
                     .referenced_pages = 77};
    commit.damaged_pages = {{.path = "base/5/16384", .block = 9, .reason = DamageReason::checksum}};
    commit.label = "nightly";
    commit.parent = other_id;
    commit.owners = {other_id, some_id};
    return commit;
}

BackupOutcome sample_outcome() {
    BackupOutcome outcome;
    outcome.id = some_id;
    outcome.system_identifier = 73;
    outcome.writer = some_writer();
    outcome.index = {{.number = 2, .plain_size = 1000, .sha256 = {}},
                     {.number = 3, .plain_size = 2000, .sha256 = {}}};
    outcome.index[0].sha256.fill(std::byte{1});
    outcome.commit = sample_commit();
    return outcome;
}

BackupOutcome sample_abort() {
    BackupOutcome outcome = sample_outcome();
    outcome.commit.reset();
    outcome.abort_reason = "the server went away";
    return outcome;
}

template <class Decode>
void check_hostile(const Bytes& sound, const Decode& decode) {
    for (std::size_t size = 0; size < sound.size(); ++size) {
        const auto kind = kind_of([&] { static_cast<void>(decode(ByteView(sound).first(size))); });
        if (kind && kind != ErrorKind::corrupt) FAIL_CHECK("cut to " << size);
    }
    for (std::size_t bit = 0; bit < sound.size() * 8; ++bit) {
        const auto kind = kind_of([&] { static_cast<void>(decode(with_bit_flipped(sound, bit))); });
        if (kind && kind != ErrorKind::corrupt && kind != ErrorKind::usage)
            FAIL_CHECK("bit " << bit);
    }
}

}  // namespace

TEST_CASE("an id of a backup is spelled in one way", "[vault][backup]") {
    CHECK(to_string(some_id) == "20261129-080000-3f9c");
    for (const char* const text :
         {"", "20261129-080000-3f9", "20261129-080000-3f9c1", "20261129-080000-3F9C",
          "2026112a-080000-3f9c", "20261129_080000-3f9c", "20261129-080000-3f9/"})
        CHECK_FALSE(parse_backup_id(text));
    const BackupId made = make_backup_id(1'795'939'200);
    CHECK(made.text().starts_with("20261129-080000-"));
    CHECK_FALSE(BackupId().is_valid());
}

TEST_CASE("records of a backup come back as they were", "[vault][backup]") {
    CHECK(decode_intent(encode_intent(sample_intent())) == sample_intent());
    CHECK(decode_outcome(encode_outcome(sample_outcome())) == sample_outcome());
    CHECK(decode_outcome(encode_outcome(sample_abort())) == sample_abort());
    const BackupTomb tomb{.id = some_id, .writer = some_writer(), .reason = "older than 30 days"};
    CHECK(decode_tomb(encode_tomb(tomb)) == tomb);
}

TEST_CASE("hostile records of a backup are refused", "[vault][backup]") {
    check_hostile(encode_intent(sample_intent()), decode_intent);
    check_hostile(encode_outcome(sample_outcome()), decode_outcome);
    check_hostile(encode_outcome(sample_abort()), decode_outcome);
}

TEST_CASE("an outcome without one of its fields is no commit", "[vault][backup]") {
    const Bytes whole = encode_outcome(sample_outcome());
    ByteReader reader(whole);
    reader.read_bytes(2);
    std::size_t removed = 0;
    while (reader.remaining() > 0) {
        const std::size_t begin = whole.size() - reader.remaining();
        const auto tag = reader.read<std::uint16_t>();
        reader.read_bytes(reader.read<std::uint32_t>());
        const std::size_t end = whole.size() - reader.remaining();
        if ((tag & 0x8000) == 0) continue;
        Bytes less = to_bytes(ByteView(whole).first(begin));
        append(less, ByteView(whole).subspan(end));
        INFO("without field " << tag);
        CHECK(kind_of([&] { static_cast<void>(decode_outcome(less)); }) == ErrorKind::corrupt);
        ++removed;
    }
    CHECK(removed == 13);
}

TEST_CASE("commit and abort of a backup exclude each other", "[vault][backup]") {
    storage::MemoryStorage storage;
    const ClusterVault vault(storage, test_keyring(crypto::Suite::aes_256_gcm),
                             ClusterLayout(test_cluster, test_system), 1);
    const BackupStore store(vault.objects(), vault.layout());
    CHECK(store.put_intent(sample_intent()));
    CHECK_FALSE(store.put_intent(sample_intent()));
    CHECK(store.find_intent(some_id) == sample_intent());
    CHECK_FALSE(store.find_outcome(some_id));
    CHECK_FALSE(store.settle(sample_abort()).commit);
    CHECK_FALSE(store.settle(sample_outcome()).commit);
    CHECK(store.find_outcome(some_id) == sample_abort());
    BackupIntent other = sample_intent();
    other.id = other_id;
    CHECK(store.put_intent(other));
    CHECK(store.list() == std::vector{other_id, some_id});
}

TEST_CASE("a record under another backup's name is refused", "[vault][backup]") {
    storage::MemoryStorage storage;
    const ClusterVault vault(storage, test_keyring(crypto::Suite::aes_256_gcm),
                             ClusterLayout(test_cluster, test_system), 1);
    const BackupStore store(vault.objects(), vault.layout());
    CHECK(store.put_intent(sample_intent()));
    Bytes object;
    REQUIRE(storage.get(vault.layout().intent_key(some_id), object));
    static_cast<void>(storage.put_new(vault.layout().intent_key(other_id), object));
    CHECK(kind_of([&] { static_cast<void>(store.find_intent(other_id)); }) == ErrorKind::corrupt);
}

TEST_CASE("a map is proven by its digest", "[vault][backup]") {
    storage::MemoryStorage storage;
    const ClusterVault vault(storage, test_keyring(crypto::Suite::aes_256_gcm),
                             ClusterLayout(test_cluster, test_system), 1);
    const BackupStore store(vault.objects(), vault.layout());
    const Bytes plain(100'000, std::byte{1});
    const BackupStore::SealedMap map = store.seal_map(some_id, 3, plain);
    CHECK(kind_of([&] { static_cast<void>(store.read_map(some_id, 3)); }) == ErrorKind::missing);
    static_cast<void>(storage.put_new(map.key, map.object));
    CHECK(equal(store.read_map(some_id, map.digest), plain));
    CHECK(store.list_maps(some_id) == std::vector<std::uint32_t>{3});
    MapDigest other = map.digest;
    other.sha256[0] ^= std::byte{1};
    CHECK(kind_of([&] { static_cast<void>(store.read_map(some_id, other)); }) ==
          ErrorKind::corrupt);
}
