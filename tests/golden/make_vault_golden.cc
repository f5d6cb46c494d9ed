// Made the files in tests/golden/vault, once, for format version 1. Do not run it over them: tests
// read the committed bytes, and a change of a format gets new files beside these.
//
//     ninja tests/unit/vault/make_vault_golden && make_vault_golden EMPTY_DIRECTORY
//
// The objects of base backups came later, sealed with the keys of what was there:
//
//     make_vault_golden --backups tests/golden/vault
//
// The key in it is for tests.
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/hash.h"
#include "storage/posix/posix_storage.h"
#include "support/archive_fixture.h"
#include "vault/backup_map.h"
#include "vault/container_steps.h"
#include "vault/descriptor.h"
#include "vault/repository.h"

#include <cstdio>
#include <functional>

using namespace walden;
using namespace walden::test;
using namespace walden::vault;

namespace {

constexpr std::string_view plain_text = "what was sealed for the golden files";

void write(const std::string& path, ByteView bytes) {
    make_directories(parent_directory(path));
    write_file_durably(path, bytes, 0644);
}

Bytes sealed(const ClusterKeyring& keys, ObjectKind kind) {
    crypto::ContentId id;
    if (kind == ObjectKind::content)
        id = crypto::ContentIdHash(keys.content_id_key()).compute(as_bytes(plain_text), 1);
    const std::string key = format("golden/{}", to_string(kind));
    return seal_object(keys, {.kind = kind, .key = key},
                       {.codec = codec::CodecId::none,
                        .plain_size = plain_text.size(),
                        .content_id = id,
                        .encoded = as_bytes(plain_text)});
}

Entry full_entry() {
    crypto::ContentId id;
    for (std::size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<std::byte>(i);
    Entry entry;
    entry.kind = FileKind::segment;
    entry.file_name = "000000010000000000000007";
    entry.system_identifier = test_system;
    entry.plain_size = 1 << 20;
    entry.content_id = id;
    entry.pieces = {{.content_id = id,
                     .plain_size = 1 << 20,
                     .stored_size = 300,
                     .codec = codec::CodecId::zstd}};
    entry.inlined.assign(300, std::byte{0xEE});
    entry.predecessor = Predecessor{.file_name = "000000010000000000000006", .content_id = id};
    entry.writer.instance.fill(std::byte{0x11});
    entry.writer.time = 1'700'000'000;
    entry.writer.host = "db1#4f2c81aa";
    entry.writer.version = "0.1.0";
    entry.facts.assign(40, std::byte{0xFA});
    return entry;
}

Bytes with_fitting_checksums(Bytes object) {
    store_le(&object[124], crc32c(ByteView(object).first(124)));
    std::byte* const trailer = &object[object.size() - 48];
    store_le(trailer + 24, xxh3_64(ByteView(object).first(object.size() - 48)));
    store_le(trailer + 36, crc32c(ByteView(object).last(48).first(36)));
    return object;
}

/// Objects of kind entry that must not open, each made from a sound one.
void write_bad_objects(const std::string& directory, const ClusterKeyring& keys) {
    const Bytes sound = sealed(keys, ObjectKind::entry);
    const auto bad = [&](const std::string& name, const std::function<void(Bytes&)>& spoil) {
        Bytes object = sound;
        spoil(object);
        write(format("{}/bad/{}.object", directory, name), object);
    };
    bad("flipped-frame", [](Bytes& o) { o[170] ^= std::byte{1}; });
    bad("forged-frame", [](Bytes& o) {
        o[170] ^= std::byte{1};
        o = with_fitting_checksums(o);
    });
    bad("flipped-header", [](Bytes& o) { o[20] ^= std::byte{1}; });
    bad("flipped-version", [](Bytes& o) { o[8] ^= std::byte{2}; });
    bad("newer-version", [](Bytes& o) {
        o[8] = std::byte{2};
        o = with_fitting_checksums(o);
    });
    bad("truncated", [](Bytes& o) { o.resize(o.size() - 1); });
    bad("empty", [](Bytes& o) { o.clear(); });
    bad("zeros", [](Bytes& o) { std::fill(o.begin(), o.end(), std::byte{0}); });
    bad("other-repository", [](Bytes& o) {
        o[16] ^= std::byte{0xFF};
        o = with_fitting_checksums(o);
    });
    bad("other-name", [&](Bytes& o) {
        o = seal_object(keys, {.kind = ObjectKind::entry, .key = "golden/elsewhere"}, {});
    });
    bad("other-kind", [&](Bytes& o) { o = sealed(keys, ObjectKind::claim); });
    bad("unencrypted",
        [&](Bytes& o) { o = sealed(ClusterKeyring(keys.repository()), ObjectKind::entry); });
    bad("hostile-sizes", [](Bytes& o) {
        store_le(&o[o.size() - 48], ~std::uint64_t{0});
        o = with_fitting_checksums(o);
    });
}

void make_repository(const std::string& directory, const crypto::UnlockSecret& secret) {
    storage::PosixStorage storage(directory);
    Repository::create(
        storage,
        {.id = test_repository(),
         .suite = crypto::Suite::aes_256_gcm,
         .fencing_proven = true,
         .created = "2026-11-22T14:32:00Z"},
        &secret, {.label = "golden", .created = 1'700'000'000, .scrypt_cost = {}, .cluster = ""});
    const Repository repository = Repository::open(storage, {}, [&] { return secret; });
    const ClusterVault vault(storage, repository.keyring(std::string(test_cluster)),
                             ClusterLayout(test_cluster, test_system), 1);
    put_test_identity(vault);
    const Host host("golden");
    for (const WalFile& file : make_line({.count = 1, .record_count = 40})) host.push(vault, file);
    const Fork fork = make_fork();
    host.push(vault, fork.history);
}

void make_all(const std::string& directory) {
    const auto secret = crypto::UnlockSecret::make_random_key();
    write(directory + "/key", secret.to_key_text());
    make_directories(directory + "/repository");
    make_repository(directory + "/repository", secret);

    storage::PosixStorage storage(directory + "/repository");
    const Repository repository = Repository::open(storage, {}, [&] { return secret; });
    const ClusterKeyring keys = repository.keyring(std::string(test_cluster));
    const ClusterKeyring no_keys(test_repository());
    for (const ObjectKind kind :
         {ObjectKind::content, ObjectKind::entry, ObjectKind::claim, ObjectKind::identity}) {
        write(format("{}/{}.aes", directory, to_string(kind)), sealed(keys, kind));
        write(format("{}/{}.none", directory, to_string(kind)), sealed(no_keys, kind));
    }
    write(directory + "/entry.bytes", encode_entry(full_entry()));
    write_bad_objects(directory, keys);
}

/// A map of each kind, as its plain bytes.
void write_maps(const std::string& directory) {
    const BackupId id = *parse_backup_id("20261129-080000-3f9c");
    Section section;
    section.packs = {{.backup = id, .number = 7}};
    section.units = {{.pack = 0,
                      .offset = 1000,
                      .stored_size = 500,
                      .plain_size = 3 * 8192,
                      .codec = codec::CodecId::zstd}};
    section.runs = {{.page_count = 2, .unit = 0, .plain_offset = 8192},
                    {.page_count = 1, .unit = std::nullopt, .plain_offset = 0}};
    section.tags.resize(3);
    section.tags[1].fill(std::byte{0x77});
    write(directory + "/backup.section", encode_section(section));

    IndexPartWriter part(8192);
    IndexEntry file;
    file.path = "base/5/16384";
    file.mode = 0600;
    file.size = 3 * 8192;
    file.modified = 1'700'000'000;
    file.is_relation = true;
    file.sections.resize(1);
    file.sections[0].map = {.backup = id, .number = 1, .sha256 = {}};
    file.sections[0].map.sha256.fill(std::byte{0x55});
    file.sections[0].offset = 2;
    file.sections[0].size = 90;
    file.sections[0].uses = {{.pack = section.packs[0], .bytes = 334}};
    part.add(file);
    write(directory + "/backup.index", part.finish([](const MapRef& map) { return map.sha256; }));
    write(directory + "/backup.usage",
          encode_usage({{.owner = id,
                         .maps = {1, 2},
                         .packs = {{.number = 7, .encoded_size = 5000, .used = 334}}}}));
}

void write_backup_objects(const std::string& directory) {
    storage::PosixStorage storage(directory + "/repository");
    const auto key = read_file(directory + "/key", 4096);
    const Repository repository = Repository::open(
        storage, {}, [&] { return crypto::UnlockSecret::from_key_text(as_text(*key)); });
    const ClusterKeyring keys = repository.keyring(std::string(test_cluster));
    const ClusterKeyring no_keys(test_repository());
    for (const ObjectKind kind : {ObjectKind::backup, ObjectKind::map, ObjectKind::pack}) {
        write(format("{}/{}.aes", directory, to_string(kind)), sealed(keys, kind));
        write(format("{}/{}.none", directory, to_string(kind)), sealed(no_keys, kind));
    }
    write_maps(directory);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string_view(argv[1]) == "--backups") {
        write_backup_objects(argv[2]);
        return 0;
    }
    if (argc != 2) {
        std::fputs("usage: make_vault_golden EMPTY_DIRECTORY\n", stderr);
        return 2;
    }
    try {
        make_all(argv[1]);
        return 0;
    } catch (const Error& error) {
        std::fprintf(stderr, "make_vault_golden: error: %s\n", error.what());
        return 1;
    }
}
