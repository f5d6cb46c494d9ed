#include "support/archive_fixture.h"

#include "base/file.h"
#include "base/format.h"

#include <algorithm>
#include <filesystem>
#include <memory>

namespace walden::test {

using archive::Archiver;
using archive::LocalState;

crypto::RepositoryId test_repository() {
    crypto::RepositoryId id{};
    id.fill(std::byte{0x5A});
    return id;
}

const crypto::KeyBundle& test_read_bundle() {
    static const crypto::KeyBundle bundle = crypto::KeyBundle::create(test_repository());
    return bundle;
}

vault::ClusterKeyring test_keyring(crypto::Suite suite) {
    if (suite == crypto::Suite::none) return vault::ClusterKeyring(test_repository());
    static const auto shared = std::make_shared<const crypto::KeyBundle>(test_read_bundle());
    return {shared, std::string(test_cluster)};
}

vault::ClusterKeyring test_put_keyring() {
    static const auto shared = std::make_shared<const crypto::KeyBundle>(
        test_read_bundle().make_put_bundle(std::string(test_cluster)));
    return {shared, std::string(test_cluster)};
}

vault::ClusterVault make_vault(vault::ObjectStorage& storage, crypto::Suite suite) {
    return {storage, test_keyring(suite), vault::ClusterLayout(test_cluster, test_system), 1};
}

void put_test_identity(const vault::ClusterVault& vault) {
    static_cast<void>(vault.claims().put_identity({.system_identifier = test_system,
                                                   .segment_size = test_segment_size.bytes(),
                                                   .server_version = 15,
                                                   .time = 1'700'000'000,
                                                   .host = "db1"}));
}

namespace {

void add_records(WalBuilder& builder, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) builder.record(2000);
    builder.commit(1000, 800'000'000'000'000);
}

WalFile file_of(const WalBuilder& builder, std::size_t index, wal::TimelineId timeline) {
    wal::SegmentName name = builder.name(index);
    name.timeline = timeline;
    return {to_string(name, test_segment_size), builder.segment(index)};
}

}  // namespace

std::vector<WalFile> make_line(const LineOptions& options) {
    WalBuilder builder({.first = options.first, .seed = options.seed});
    std::vector<WalFile> files;
    for (std::size_t i = 0; i < options.count; ++i) {
        add_records(builder, options.record_count);
        builder.switch_segment();
        files.push_back(file_of(builder, i, options.first.timeline));
    }
    return files;
}

Fork make_fork() {
    Fork fork;
    WalBuilder parent({.first = {1, 5}});
    for (std::size_t i = 0; i < 2; ++i) {
        add_records(parent, i == 0 ? 60 : 5);
        parent.switch_segment();
        fork.parent.push_back(file_of(parent, i, 1));
    }
    add_records(parent, 50);
    fork.parent.push_back(file_of(parent, 2, 1));
    fork.switch_point = parent.end();
    fork.history = {
        "00000002.history",
        to_bytes(as_bytes(format("1\t{}\tno recovery target\n", to_string(fork.switch_point))))};
    WalBuilder child = parent;
    child.change_timeline(2);
    for (std::size_t i = 0; i < 2; ++i) {
        add_records(child, 45);
        child.switch_segment();
        fork.child.push_back(file_of(child, 2 + i, 2));
    }
    return fork;
}

Host::Host(const std::string& name) {
    settings.system_identifier = test_system;
    settings.instance = {.host = name, .pgdata = "/srv/" + name, .segment_size = test_segment_size};
    settings.encoding = {.method = codec::CodecId::zstd, .level = 1, .worker_count = 1};
    settings.version = "0.1.0-test";
    make_directories(wal_directory());
}

void Host::put_file(const WalFile& file) const {
    NewFile out(path(file.name), 0600);
    out.write(file.bytes);
    out.commit_replacing();
}

void Host::put_files(const std::vector<WalFile>& files) const {
    for (const WalFile& file : files) put_file(file);
}

LocalState Host::state() const {
    return {scratch_.path() + "/state",
            std::string(test_cluster),
            {.repository = test_repository(),
             .system_identifier = settings.system_identifier,
             .pgdata = settings.instance.pgdata}};
}

void Host::lose_state() const {
    std::filesystem::remove_all(scratch_.path() + "/state");
}

archive::ArchiveResult Host::push(const vault::ClusterVault& vault, const std::string& name) const {
    LocalState local = state();
    return Archiver(vault, local, settings).archive(archive::source_at(path(name)));
}

archive::ArchiveResult Host::push(const vault::ClusterVault& vault, const WalFile& file) const {
    put_file(file);
    return push(vault, file.name);
}

vault::Claim Host::adopt(const vault::ClusterVault& vault, wal::TimelineId timeline) const {
    LocalState local = state();
    archive::Membership membership(vault, local, settings.instance);
    const vault::Claim claim = membership.adopt(timeline, 1'700'000'000);
    static_cast<void>(local.save());
    return claim;
}

recovery::Fetcher make_fetcher(const vault::ClusterVault& vault) {
    return {vault, {.system_identifier = test_system, .segment_size = test_segment_size}};
}

std::optional<Bytes> fetch(const vault::ClusterVault& vault, const std::string& name) {
    auto file = make_fetcher(vault).fetch(name);
    if (!file) return std::nullopt;
    return std::move(file->bytes);
}

std::vector<std::string> keys_of(vault::ObjectStorage& storage, const std::string& prefix) {
    std::vector<std::string> keys;
    storage.list(prefix, "", [&](const vault::ObjectInfo& info) {
        keys.push_back(info.key);
        return true;
    });
    return keys;
}

Bytes get(vault::ObjectStorage& storage, const std::string& key) {
    Bytes bytes;
    if (!storage.get(key, bytes)) throw Error(ErrorKind::not_found, "no object " + key);
    return bytes;
}

inspect::VerifyReport verify(const vault::ClusterVault& vault) {
    inspect::VerifySettings settings;
    settings.worker_count = 1;
    return inspect::verify_cluster(vault, settings);
}

std::string problems_of(const inspect::VerifyReport& report) {
    std::string text;
    for (const catalog::Problem& problem : report.problems)
        text += format("{}: {}: {}\n", to_string(problem.kind), problem.object, problem.message);
    return text;
}

void copy_storage(vault::ObjectStorage& from, vault::ObjectStorage& to) {
    to.remove(keys_of(to));
    for (const std::string& key : keys_of(from)) static_cast<void>(to.put_new(key, get(from, key)));
}

}  // namespace walden::test
