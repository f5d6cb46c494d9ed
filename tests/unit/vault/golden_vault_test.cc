// Files of format version 1, made once by tests/golden/make_vault_golden.cc. They are read, never
// written: what is in a repository today must open for ever (invariant 40).
#include "base/file.h"
#include "base/format.h"
#include "support/archive_fixture.h"
#include "support/errors.h"
#include "vault/backup_map.h"
#include "vault/descriptor.h"
#include "vault/repository.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <sstream>

using namespace walden;
using namespace walden::test;
using namespace walden::vault;

namespace {

constexpr std::string_view plain_text = "what was sealed for the golden files";

std::string golden_directory() {
    const char* const root = std::getenv("WALDEN_SOURCE_ROOT");
    REQUIRE(root != nullptr);
    return std::string(root) + "/tests/golden/vault";
}

Bytes read_golden(const std::string& name) {
    const auto bytes = read_file(golden_directory() + "/" + name, 1 << 20);
    REQUIRE(bytes.has_value());
    return *bytes;
}

/// The committed repository, in memory: nothing can write to the committed files.
struct GoldenRepository {
    storage::MemoryStorage storage;

    GoldenRepository() {
        const std::filesystem::path root = golden_directory() + "/repository";
        for (const auto& item : std::filesystem::recursive_directory_iterator(root)) {
            if (!item.is_regular_file()) continue;
            const std::string key = std::filesystem::relative(item.path(), root).string();
            static_cast<void>(storage.put_new(key, *read_file(item.path().string(), 1 << 22)));
        }
    }

    Repository open() {
        return Repository::open(storage, {.id = test_repository(), .encryption = true}, [] {
            return crypto::UnlockSecret::from_key_text(as_text(read_golden("key")));
        });
    }
};

ClusterKeyring golden_keys() {
    GoldenRepository golden;
    return golden.open().keyring(std::string(test_cluster));
}

}  // namespace

TEST_CASE("golden objects of each kind open", "[vault][golden]") {
    const bool is_encrypted = GENERATE(true, false);
    const ClusterKeyring keys = is_encrypted ? golden_keys() : ClusterKeyring(test_repository());
    for (const ObjectKind kind :
         {ObjectKind::content, ObjectKind::entry, ObjectKind::claim, ObjectKind::identity,
          ObjectKind::backup, ObjectKind::map, ObjectKind::pack}) {
        const Bytes object =
            read_golden(format("{}.{}", to_string(kind), is_encrypted ? "aes" : "none"));
        const std::string key = format("golden/{}", to_string(kind));
        const Unsealed opened = unseal_object(keys, {.kind = kind, .key = key}, object);
        CHECK(as_text(opened.encoded) == plain_text);
        CHECK(opened.plain_size == plain_text.size());
        CHECK(opened.codec == codec::CodecId::none);
        if (kind == ObjectKind::content)
            CHECK(opened.content_id ==
                  crypto::ContentIdHash(keys.content_id_key()).compute(as_bytes(plain_text), 1));
    }
}

TEST_CASE("the golden entry has every field, and is encoded as it was", "[vault][golden]") {
    const Bytes bytes = read_golden("entry.bytes");
    const Entry entry = decode_entry(bytes);
    CHECK(entry.kind == FileKind::segment);
    CHECK(entry.file_name == "000000010000000000000007");
    CHECK(entry.system_identifier == test_system);
    CHECK(entry.plain_size == 1 << 20);
    CHECK(to_string(entry.content_id) ==
          "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    REQUIRE(entry.pieces.size() == 1);
    CHECK(entry.pieces[0] == Piece{entry.content_id, 1 << 20, 300, codec::CodecId::zstd});
    CHECK(entry.inlined == Bytes(300, std::byte{0xEE}));
    CHECK(entry.predecessor == Predecessor{"000000010000000000000006", entry.content_id});
    CHECK(entry.writer.instance.front() == std::byte{0x11});
    CHECK(entry.writer.time == 1'700'000'000);
    CHECK(entry.writer.host == "db1#4f2c81aa");
    CHECK(entry.writer.version == "0.1.0");
    CHECK(entry.facts == Bytes(40, std::byte{0xFA}));
    CHECK(equal(encode_entry(entry), bytes));
}

TEST_CASE("the golden repository opens, is sound, and gives back its segment", "[vault][golden]") {
    GoldenRepository golden;
    const Repository repository = golden.open();
    CHECK(repository.descriptor() ==
          Descriptor{test_repository(), crypto::Suite::aes_256_gcm, true, "2026-11-22T14:32:00Z"});
    CHECK(repository.opened_slot()->label == "golden");
    const ClusterVault vault(golden.storage, repository.keyring(std::string(test_cluster)),
                             ClusterLayout(test_cluster, test_system), 1);
    CHECK(problems_of(verify(vault)).empty());
    CHECK(inspect::verify_repository(golden.storage).empty());

    const WalFile segment = make_line({.count = 1, .record_count = 40}).front();
    const auto file = make_fetcher(vault).fetch(segment.name);
    REQUIRE(file.has_value());
    CHECK(equal(file->bytes, segment.bytes));
    CHECK(file->entry.inlined.empty());
    CHECK(file->entry.writer.host == "golden");
    const auto facts = wal::decode_facts(file->entry.facts);
    REQUIRE(facts.has_value());
    CHECK(facts->end == wal::EndReason::switched);
    CHECK(facts->facts.record_count == 42);
    CHECK(facts->facts.commit_count == 1);
    CHECK(equal(*fetch(vault, "00000002.history"), make_fork().history.bytes));
    CHECK(vault.claims().find("00000001")->host == "golden");
}

TEST_CASE("golden bad objects are refused, each with its own words", "[vault][golden]") {
    const ClusterKeyring keys = golden_keys();
    std::istringstream lines{std::string(as_text(read_golden("bad/errors.txt")))};
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        // "name | kind | message"
        const std::size_t first = line.find(" | ");
        const std::size_t second = line.find(" | ", first + 3);
        REQUIRE(second != std::string::npos);
        const std::string name = line.substr(0, first);
        INFO(name);
        const auto error = error_of([&] {
            static_cast<void>(unseal_object(keys,
                                            {.kind = ObjectKind::entry, .key = "golden/entry"},
                                            read_golden("bad/" + name + ".object")));
        });
        REQUIRE(error.has_value());
        CHECK(to_string(error->kind()) == line.substr(first + 3, second - first - 3));
        CHECK(error->message() == line.substr(second + 3));
    }
    std::size_t object_count = 0;
    for (const auto& item : std::filesystem::directory_iterator(golden_directory() + "/bad"))
        if (item.path().extension() == ".object") ++object_count;
    CHECK(count == object_count);
    CHECK(count == 13);
}

TEST_CASE("golden maps of a base backup are read and written alike", "[vault][golden][backup]") {
    const Bytes section = read_golden("backup.section");
    const Section read = decode_section(section, {.page_size = 8192, .byte_size = 3 * 8192});
    CHECK(read.packs.at(0).number == 7);
    CHECK(read.units.at(0).offset == 1000);
    CHECK(read.runs.at(0).plain_offset == 8192);
    CHECK_FALSE(read.runs.at(1).unit);
    CHECK(read.tags.at(1)[0] == std::byte{0x77});
    CHECK(equal(encode_section(read), section));

    IndexPartReader index(read_golden("backup.index"), 8192);
    const auto entry = index.next();
    REQUIRE(entry);
    CHECK(entry->path == "base/5/16384");
    CHECK(entry->sections.at(0).map.sha256[31] == std::byte{0x55});
    CHECK(entry->sections.at(0).uses.at(0).bytes == 334);
    CHECK_FALSE(index.next());

    const Bytes usage = read_golden("backup.usage");
    CHECK(decode_usage(usage).at(0).packs.at(0).encoded_size == 5000);
    CHECK(equal(encode_usage(decode_usage(usage)), usage));
}
