#include "archive/archiver.h"

#include "catalog/survey.h"
#include "support/archive_fixture.h"
#include "support/counting_storage.h"
#include "support/errors.h"
#include "support/memory_storage.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>

using namespace walden;
using namespace walden::test;
using archive::ArchiveOutcome;
using storage::MemoryStorage;

namespace {

struct Archive {
    explicit Archive(MemoryStorage::Durability durability = MemoryStorage::Durability::when_synced)
        : storage(durability) {
        put_test_identity(vault);
    }

    MemoryStorage storage;
    vault::ClusterVault vault = make_vault(storage);
    Host host;
    std::vector<WalFile> line = make_line();

    std::optional<Error> failure_of(const WalFile& file) {
        return error_of([&] { host.push(vault, file); });
    }

    vault::Entry entry_of(const WalFile& file) {
        return vault.entries().find(vault.layout().segment_key(file.name))->entry;
    }
};

bool has_warning(const archive::ArchiveResult& result, std::string_view text) {
    return std::any_of(result.warnings.begin(), result.warnings.end(),
                       [&](const std::string& warning) { return mentions(warning, text); });
}

}  // namespace

TEST_CASE("a segment is stored, and comes back as it was (invariants 1 and 12)", "[archive]") {
    const auto suite = GENERATE(crypto::Suite::none, crypto::Suite::aes_256_gcm);
    const std::size_t records = GENERATE(5U, 60U);
    MemoryStorage storage;
    const auto vault = make_vault(storage, suite);
    put_test_identity(vault);
    const Host host;
    const WalFile file = make_line({.count = 1, .record_count = records}).front();
    const auto result = host.push(vault, file);
    CHECK(result.outcome == ArchiveOutcome::stored);
    CHECK(result.plain_size == file.bytes.size());
    CHECK(result.warnings.empty());
    CHECK(equal(*fetch(vault, file.name), file.bytes));
    const auto fetched = make_fetcher(vault).fetch(file.name);
    CHECK(fetched->entry.stored_size() == result.stored_size);
    CHECK(fetched->entry.inlined.empty() == (records == 60));
    const auto facts = wal::decode_facts(fetched->entry.facts);
    REQUIRE(facts.has_value());
    CHECK(facts->facts.record_count == records + 2);
    CHECK(problems_of(verify(vault)).empty());
}

TEST_CASE("a push with the put key is read with the read key", "[archive]") {
    MemoryStorage storage;
    const vault::ClusterVault put(storage, test_put_keyring(),
                                  vault::ClusterLayout(test_cluster, test_system), 1);
    put_test_identity(put);
    const Host host;
    for (const WalFile& file : make_line()) {
        host.push(put, file);
        CHECK(host.push(put, file).outcome == ArchiveOutcome::already_stored);
        CHECK(kind_of([&] { static_cast<void>(fetch(put, file.name)); }) == ErrorKind::usage);
        CHECK(equal(*fetch(make_vault(storage), file.name), file.bytes));
    }
}

TEST_CASE("the same file again is a success that changes nothing (invariant 4, fault 18)",
          "[archive]") {
    Archive a;
    for (const WalFile& file : a.line) a.host.push(a.vault, file);
    const auto keys = keys_of(a.storage);
    storage::CountingStorage counting(a.storage);
    const auto result = a.host.push(make_vault(counting), a.line[1]);
    CHECK(result.outcome == ArchiveOutcome::already_stored);
    CHECK(result.plain_size == a.line[1].bytes.size());
    CHECK(counting.counts().created_count == 0);
    CHECK(counting.counts().put_count == 1);  // its contract makes the name durable
    CHECK(keys_of(a.storage) == keys);
}

TEST_CASE("other content under a taken name is a conflict, kept beside (invariant 5, fault 19)",
          "[archive]") {
    Archive a;
    for (const WalFile& file : a.line) a.host.push(a.vault, file);
    const std::string key = a.vault.layout().segment_key(a.line[1].name);
    const Bytes before = get(a.storage, key);
    WalFile other = make_line({.seed = 99})[1];
    const Host clone("clone");
    for (int attempt = 0; attempt < 3; ++attempt) {
        const auto error = error_of([&] { clone.push(a.vault, other); });
        REQUIRE(error.has_value());
        CHECK(error->kind() == ErrorKind::conflict);
        CHECK(mentions(error->detail(), to_string(a.vault.contents().id_of(other.bytes))));
        CHECK(mentions(error->detail(), to_string(a.vault.contents().id_of(a.line[1].bytes))));
        CHECK(mentions(error->detail(), "db1"));
        CHECK(mentions(error->detail(), "clone"));
    }
    CHECK(equal(get(a.storage, key), before));
    CHECK(equal(*fetch(a.vault, other.name), a.line[1].bytes));
    const auto kept = keys_of(a.storage, a.vault.layout().conflict_prefix());
    REQUIRE(kept.size() == 1);
    Bytes loser;
    a.vault.contents().read(a.vault.entries().find(kept.front())->entry, loser);
    CHECK(equal(loser, other.bytes));
    const auto report = verify(a.vault);
    CHECK(problems_of(report).empty());
    CHECK(report.notes.size() == 1);
}

TEST_CASE("a history with other content is refused, identical it is a success (fault 24)",
          "[archive]") {
    Archive a;
    const Fork fork = make_fork();
    a.host.push(a.vault, fork.history);
    CHECK(a.host.push(a.vault, fork.history).outcome == ArchiveOutcome::already_stored);
    WalFile other = fork.history;
    other.bytes = to_bytes(as_bytes("1\t0/700100\tno recovery target specified\n"));
    CHECK(a.failure_of(other)->kind() == ErrorKind::conflict);
    CHECK(equal(*fetch(a.vault, fork.history.name), fork.history.bytes));
    other.bytes.clear();
    CHECK(a.failure_of(other)->kind() == ErrorKind::corrupt);
}

TEST_CASE("labels and partial files are kept under their own kind (fault 25)", "[archive]") {
    Archive a;
    const Fork fork = make_fork();
    const WalFile label{"000000010000000000000006.00000028.backup",
                        to_bytes(as_bytes("START WAL LOCATION: 0/600028\n"))};
    const WalFile partial{fork.parent[2].name + ".partial", fork.parent[2].bytes};
    for (const WalFile& file : {label, partial}) {
        CHECK(a.host.push(a.vault, file).outcome == ArchiveOutcome::stored);
        CHECK(a.host.push(a.vault, file).outcome == ArchiveOutcome::already_stored);
        CHECK(equal(*fetch(a.vault, file.name), file.bytes));
    }
    CHECK(keys_of(a.storage, a.vault.layout().claims_prefix()).empty());

    // Two standbys may have received different tails: both are kept, and none is chosen.
    WalFile shorter = partial;
    std::fill(shorter.bytes.begin() + 60000, shorter.bytes.end(), std::byte{0});
    CHECK(Host("db2").push(a.vault, shorter).outcome == ArchiveOutcome::stored);
    CHECK(kind_of([&] { static_cast<void>(fetch(a.vault, partial.name)); }) == ErrorKind::conflict);
    CHECK(problems_of(verify(a.vault)).empty());
    WalFile other_label = label;
    other_label.bytes.push_back(std::byte{'\n'});
    CHECK(a.failure_of(other_label)->kind() == ErrorKind::conflict);
}

TEST_CASE("names that PostgreSQL does not archive are refused untouched (fault 26)", "[archive]") {
    Archive a;
    storage::CountingStorage counting(a.storage);
    const auto vault = make_vault(counting);
    for (const std::string& name :
         {std::string(), std::string("postgres.conf"), std::string("00000001000000000000000a"),
          std::string("0000000100000000000000055"), std::string("000000000000000000000005"),
          std::string("000000010000000000000005.tmp"), std::string(".."),
          std::string("00000002.history.bak")}) {
        INFO(name);
        CHECK(kind_of([&] { a.host.push(vault, name); }) == ErrorKind::usage);
    }
    // A low field that segments of 1 MiB never reach.
    CHECK(kind_of([&] { a.host.push(vault, std::string("000000010000000000001000")); }) ==
          ErrorKind::foreign);
    CHECK(counting.counts() == storage::StorageCounts{});
}

TEST_CASE("WAL of another cluster, place or segment size is refused (invariant 9, fault 23)",
          "[archive]") {
    Archive a;
    const auto built = [](const WalOptions& options) {
        return WalBuilder(options).record(100).switch_segment().segment(0);
    };
    const auto refused = [&](const std::string& name, const Bytes& bytes, std::string_view text) {
        const auto error = a.failure_of({name, bytes});
        REQUIRE(error.has_value());
        CHECK(error->kind() == ErrorKind::foreign);
        CHECK(mentions(error->message(), text));
    };
    const std::string name = a.line[0].name;
    refused(name, built({.first = {1, 5}, .system_identifier = 42}),
            "system identifier 42 does not match 7301234567890123456");
    refused(name, built({.first = {1, 6}}), "page address");
    refused(name, built({.first = {2, 5}}), "timeline 2 in the header is newer");
    Archive large;
    large.host.settings.instance.segment_size = wal::SegmentSize();
    CHECK(error_of([&] { large.host.push(large.vault, a.line[0]); })->kind() == ErrorKind::foreign);
    CHECK(keys_of(a.storage).size() == 1);
}

TEST_CASE("a source that is no whole segment is refused, nothing is stored (fault 11)",
          "[archive]") {
    Archive a;
    const WalFile file = a.line[0];
    const auto kind = [&](const std::function<void(Bytes&)>& spoil) {
        WalFile spoilt = file;
        spoil(spoilt.bytes);
        return a.failure_of(spoilt)->kind();
    };
    CHECK(kind([](Bytes& b) { b.clear(); }) == ErrorKind::corrupt);
    CHECK(kind([](Bytes& b) { b.resize(b.size() - 1); }) == ErrorKind::corrupt);
    CHECK(kind([](Bytes& b) { b.resize(8192); }) == ErrorKind::corrupt);
    CHECK(kind([](Bytes& b) { b.push_back(std::byte{0}); }) == ErrorKind::corrupt);
    CHECK(kind([](Bytes& b) { b.resize(b.size() + 2); }) == ErrorKind::io);
    CHECK(kind([](Bytes& b) { std::fill(b.begin(), b.end(), std::byte{0}); }) ==
          ErrorKind::corrupt);
    CHECK(kind([](Bytes& b) { std::fill(b.begin(), b.end(), std::byte{0xA5}); }) ==
          ErrorKind::corrupt);
    CHECK(kind([](Bytes& b) { b[0] ^= std::byte{0xFF}; }) == ErrorKind::corrupt);
    CHECK(keys_of(a.storage).size() == 1);
    CHECK(a.failure_of({"00000002.history", to_bytes(as_bytes("nonsense"))})->kind() ==
          ErrorKind::corrupt);
}

TEST_CASE("damaged WAL is archived with a warning, or refused, as the settings say", "[archive]") {
    Archive a;
    WalFile damaged = a.line[0];
    damaged.bytes[50000] ^= std::byte{1};
    SECTION("archive") {
        const auto result = a.host.push(a.vault, damaged);
        CHECK(result.outcome == ArchiveOutcome::stored);
        CHECK(has_warning(result, "archived as it is, marked as damaged"));
        const auto facts = wal::decode_facts(a.entry_of(damaged).facts);
        CHECK(facts->is_damaged());
        CHECK_FALSE(facts->reason.empty());
        const auto report = verify(a.vault);
        REQUIRE(report.problems.size() == 1);
        CHECK(report.problems[0].kind == catalog::ProblemKind::wal_damaged);
        const auto survey = catalog::survey_cluster(a.vault, test_system);
        REQUIRE(survey.damaged.size() == 1);
        CHECK(survey.damaged[0].file_name == damaged.name);
        CHECK(survey.damaged[0].stopped_at == facts->stopped_at);
    }
    SECTION("refuse") {
        a.host.settings.on_damaged_wal = archive::DamagedWalPolicy::refuse;
        CHECK(a.failure_of(damaged)->kind() == ErrorKind::corrupt);
        CHECK(keys_of(a.storage).size() == 1);
        CHECK(a.host.push(a.vault, a.line[0]).outcome == ArchiveOutcome::stored);
    }
}

TEST_CASE("the last segment of a timeline that was left is kept as a partial one", "[archive]") {
    Archive a;
    const Fork fork = make_fork();
    a.host.settings.on_damaged_wal = archive::DamagedWalPolicy::refuse;
    CHECK(a.failure_of(fork.parent[2])->kind() == ErrorKind::corrupt);
    a.host.put_file(fork.history);
    a.host.push(a.vault, fork.parent[0]);
    a.host.push(a.vault, fork.parent[1]);
    const auto result = a.host.push(a.vault, fork.parent[2]);
    CHECK(result.outcome == ArchiveOutcome::stored);
    CHECK(has_warning(result, fork.parent[2].name + ".partial"));
    CHECK(a.host.push(a.vault, fork.parent[2]).outcome == ArchiveOutcome::already_stored);
    CHECK_FALSE(fetch(a.vault, fork.parent[2].name).has_value());  // invariant 20
    CHECK(equal(*fetch(a.vault, fork.parent[2].name + ".partial"), fork.parent[2].bytes));
    // A whole segment on the old timeline is one, whatever the histories say.
    CHECK(a.entry_of(fork.parent[1]).kind == vault::FileKind::segment);
    CHECK(problems_of(verify(a.vault)).empty());
}

TEST_CASE("each segment names the one before, also across a switch of timelines", "[archive]") {
    Archive a;
    const Fork fork = make_fork();
    a.host.push(a.vault, fork.parent[0]);
    a.host.push(a.vault, fork.parent[1]);
    a.host.push(a.vault, fork.history);
    for (const WalFile& file : fork.child) a.host.push(a.vault, file);
    CHECK_FALSE(a.entry_of(fork.parent[0]).predecessor.has_value());
    const auto names = [&](const WalFile& file, const WalFile& before) {
        return a.entry_of(file).predecessor ==
               vault::Predecessor{before.name, a.vault.contents().id_of(before.bytes)};
    };
    CHECK(names(fork.parent[1], fork.parent[0]));
    CHECK(names(fork.child[0], fork.parent[1]));
    CHECK(names(fork.child[1], fork.child[0]));
    CHECK(problems_of(verify(a.vault)).empty());
}

TEST_CASE("a predecessor that is not the one archived from here stops the push", "[archive]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    a.host.push(a.vault, a.line[1]);
    // The store was replaced by one where another instance has archived.
    MemoryStorage replaced;
    const auto vault = make_vault(replaced);
    put_test_identity(vault);
    const std::vector<WalFile> other = make_line({.seed = 7});
    const Host other_host("db2");
    other_host.push(vault, other[0]);
    other_host.push(vault, other[1]);
    replaced.remove(keys_of(replaced, vault.layout().claims_prefix()));
    const auto error = error_of([&] { a.host.push(vault, a.line[2]); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::conflict);
    CHECK(mentions(error->message(), a.line[1].name));
    CHECK(mentions(error->detail(), "db2"));
}

TEST_CASE("a store that has lost what was archived from here last is noticed (fault 88)",
          "[archive]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    MemoryStorage older;
    copy_storage(a.storage, older);
    a.host.push(a.vault, a.line[1]);
    const auto result = a.host.push(make_vault(older), a.line[2]);
    CHECK(
        has_warning(result, a.line[1].name + " was archived from here and is not in the archive"));
    CHECK(result.outcome == ArchiveOutcome::stored);
    CHECK_FALSE(problems_of(verify(make_vault(older))).empty());
}

TEST_CASE("a damaged predecessor in the store does not keep the next segment back", "[archive]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    const std::vector<std::string> key = {a.vault.layout().segment_key(a.line[0].name)};
    Bytes object;
    REQUIRE(a.storage.get(key[0], object));
    object[object.size() / 2] ^= std::byte{1};
    a.storage.remove(key);
    a.storage.put_new(key[0], object);
    const auto result = a.host.push(a.vault, a.line[1]);
    CHECK(result.outcome == ArchiveOutcome::stored);
    CHECK(has_warning(result, "no recovery can pass " + a.line[0].name));
    CHECK_FALSE(a.entry_of(a.line[1]).predecessor.has_value());
}

TEST_CASE("content that somebody removed or cut under a living entry is put back (fault 18)",
          "[archive]") {
    const auto durability =
        GENERATE(MemoryStorage::Durability::when_synced, MemoryStorage::Durability::once_visible);
    const bool is_cut = GENERATE(false, true);
    Archive a(durability);
    a.host.push(a.vault, a.line[0]);
    const auto contents = keys_of(a.storage, a.vault.layout().content_prefix());
    REQUIRE(contents.size() == 1);
    if (is_cut)
        a.storage.overwrite(contents[0], ByteView(get(a.storage, contents[0])).first(1000));
    else
        a.storage.remove(contents);
    CHECK_FALSE(problems_of(verify(a.vault)).empty());
    CHECK(a.host.push(a.vault, a.line[0]).outcome == ArchiveOutcome::already_stored);
    CHECK(problems_of(verify(a.vault)).empty());
    CHECK(equal(*fetch(a.vault, a.line[0].name), a.line[0].bytes));
}

TEST_CASE("where visible is durable, the same file again costs two small requests (fault 18)",
          "[archive]") {
    Archive a(MemoryStorage::Durability::once_visible);
    for (const WalFile& file : a.line) a.host.push(a.vault, file);
    storage::CountingStorage counting(a.storage);
    CHECK(a.host.push(make_vault(counting), a.line[1]).outcome == ArchiveOutcome::already_stored);
    const auto counts = counting.counts();
    CHECK(counts.get_count == 1);  // the entry
    CHECK(counts.get_size < 4096);
    CHECK(counts.stat_count == 1);  // the content
    CHECK(counts.put_count + counts.list_count + counts.get_range_count == 0);
}

TEST_CASE("a file whose entry is damaged in the store is not called archived (invariant 1)",
          "[archive]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    const std::string key = a.vault.layout().segment_key(a.line[0].name);
    const Bytes object = get(a.storage, key);
    a.storage.overwrite(key, with_bit_flipped(object, object.size() * 4));
    CHECK(a.failure_of(a.line[0])->kind() == ErrorKind::corrupt);
    a.storage.overwrite(key, object);
    CHECK(a.host.push(a.vault, a.line[0]).outcome == ArchiveOutcome::already_stored);
}

TEST_CASE("content that is damaged in the store, with an entry or without, is put beside it",
          "[archive]") {
    Archive a;
    a.host.push(a.vault, a.line[0]);
    const std::string content = keys_of(a.storage, a.vault.layout().content_prefix()).front();
    const Bytes object = get(a.storage, content);
    a.storage.overwrite(content, with_bit_flipped(object, object.size() * 4));
    const Bytes damaged = get(a.storage, content);
    const bool has_entry = GENERATE(true, false);
    if (!has_entry)
        a.storage.remove(std::vector<std::string>{a.vault.layout().segment_key(a.line[0].name)});
    CHECK(a.host.push(a.vault, a.line[0]).outcome ==
          (has_entry ? ArchiveOutcome::already_stored : ArchiveOutcome::stored));
    CHECK(equal(get(a.storage, content), damaged));
    CHECK(equal(*fetch(a.vault, a.line[0].name), a.line[0].bytes));
    const auto report = verify(a.vault);
    CHECK(problems_of(report).empty());
    REQUIRE(report.notes.size() == 1);
    CHECK(mentions(report.notes[0], "damaged copy"));
    CHECK(mentions(report.notes[0], content + " "));
    // The second copy is damaged as well: now there is nothing to read.
    a.storage.overwrite(content + ".1", as_bytes("rubbish"));
    CHECK(mentions(problems_of(verify(a.vault)), content));
    CHECK(a.host.push(a.vault, a.line[0]).outcome == ArchiveOutcome::already_stored);
    CHECK(problems_of(verify(a.vault)).empty());
    CHECK(verify(a.vault).notes.size() == 2);
}

TEST_CASE("content that fits into an entry by now is not called archived without one that has it",
          "[archive]") {
    Archive a;
    a.host.settings.encoding.method = codec::CodecId::none;
    const WalFile file = make_line({.count = 1, .record_count = 25}).front();
    a.host.push(a.vault, file);
    const auto keys = keys_of(a.storage, a.vault.layout().content_prefix());
    REQUIRE(keys.size() == 1);
    a.storage.remove(keys);
    a.host.settings.encoding.method = codec::CodecId::zstd;
    CHECK(a.failure_of(file)->kind() == ErrorKind::corrupt);
    a.host.settings.encoding.method = codec::CodecId::none;
    CHECK(a.host.push(a.vault, file).outcome == ArchiveOutcome::already_stored);
    CHECK(equal(*fetch(a.vault, file.name), file.bytes));
}

TEST_CASE("WAL that jumps is archived, with one warning for each jump", "[archive]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const Host host;
    const auto line = make_line({.count = 6, .record_count = 5});
    CHECK(host.push(vault, line[0]).warnings.empty());
    // As after pg_resetwal: 6 and 7 were never archived.
    const auto jumped = host.push(vault, line[3]);
    REQUIRE(jumped.warnings.size() == 1);
    CHECK(mentions(jumped.warnings[0], line[0].name));
    CHECK(mentions(jumped.warnings[0], "2 segments"));
    CHECK(host.push(vault, line[4]).warnings.empty());
    CHECK(fetch(vault, line[3].name));
}
