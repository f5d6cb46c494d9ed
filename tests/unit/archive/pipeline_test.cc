#include "archive/pipeline.h"

#include "base/file.h"
#include "storage/wrappers/forwarding_storage.h"
#include "support/archive_fixture.h"
#include "support/counting_storage.h"
#include "support/errors.h"
#include "support/faulty_storage.h"
#include "support/memory_storage.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>

using namespace walden;
using namespace walden::test;
using archive::ArchiveOutcome;
using archive::Pipeline;
using archive::PipelineOptions;
using archive::PipelineResult;
using storage::CountingStorage;
using storage::FaultyStorage;
using storage::MemoryStorage;
using Kind = archive::PipelineResult::Kind;

namespace {

using Deadline = std::chrono::steady_clock::time_point;

Deadline patience() {
    return std::chrono::steady_clock::now() + std::chrono::seconds(60);
}

/// A pipeline of one host and what it delivered, in that order.
class Run {
public:
    Run(const vault::ClusterVault& vault, const Host& host, PipelineOptions options = {})
        : host_(host), state_(host.state()) {
        pipeline_ = std::make_unique<Pipeline>(
            vault, state_, host.settings, options,
            [this](const archive::FileSource& source, PipelineResult result) {
                const std::lock_guard lock(mutex_);
                delivered_.emplace_back(source.name, std::move(result));
                changed_.notify_all();
            });
    }

    void submit(const std::vector<WalFile>& files) {
        std::vector<archive::FileSource> sources;
        for (const WalFile& file : files)
            sources.push_back(archive::source_at(host_.path(file.name)));
        submit(sources);
    }

    void submit(const std::vector<archive::FileSource>& sources) {
        const std::uint64_t failure_count = pipeline_->failure_count();
        for (const archive::FileSource& source : sources)
            if (pipeline_->submit(source, failure_count)) ++submitted_;
    }

    /// Waits until everything submitted is delivered.
    void finish() {
        std::unique_lock lock(mutex_);
        REQUIRE(
            changed_.wait_until(lock, patience(), [&] { return delivered_.size() == submitted_; }));
    }

    void archive(const std::vector<WalFile>& files) {
        submit(files);
        finish();
    }

    /// The kinds of all results so far: 'a'rchived, already stored 'p'resent, 'f'ailed, 's'topped.
    std::string kinds() {
        std::string text;
        for (const auto& [name, result] : delivered_) {
            if (result.kind == Kind::failed) text += 'f';
            if (result.kind == Kind::stopped) text += 's';
            if (result.kind == Kind::archived)
                text += result.archive.outcome == ArchiveOutcome::stored ? 'a' : 'p';
        }
        return text;
    }

    Pipeline& pipeline() { return *pipeline_; }

    std::vector<std::pair<std::string, PipelineResult>>& delivered() { return delivered_; }

    void close() { pipeline_.reset(); }

private:
    const Host& host_;
    archive::LocalState state_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::pair<std::string, PipelineResult>> delivered_;
    std::size_t submitted_ = 0;
    std::unique_ptr<Pipeline> pipeline_;
};

std::vector<WalFile> part(const std::vector<WalFile>& files, std::size_t from, std::size_t count) {
    return {files.begin() + static_cast<std::ptrdiff_t>(from),
            files.begin() + static_cast<std::ptrdiff_t>(from + count)};
}

/// Keeps each put of an entry waiting until told, and notes in which order they came.
class HeldStorage final : public storage::ForwardingStorage {
public:
    explicit HeldStorage(vault::ObjectStorage& inner) : ForwardingStorage(inner) {}

    PutOutcome put_new(const std::string& key, ByteView body) override {
        if (key.find("/wal/") != std::string::npos) {
            std::unique_lock lock(mutex_);
            begun_.push_back(base_name(key));
            changed_.notify_all();
            REQUIRE(changed_.wait_until(lock, patience(),
                                        [&] { return released_.count(base_name(key)) > 0; }));
        }
        return inner().put_new(key, body);
    }

    [[nodiscard]] bool is_durable_once_visible() const override { return true; }

    void release(const std::string& name) {
        const std::lock_guard lock(mutex_);
        released_.insert(name);
        changed_.notify_all();
    }

    std::vector<std::string> await_begun(std::size_t count) {
        std::unique_lock lock(mutex_);
        REQUIRE(changed_.wait_until(lock, patience(), [&] { return begun_.size() >= count; }));
        return begun_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> begun_;
    std::set<std::string> released_;
};

}  // namespace

TEST_CASE("a pipeline archives a line in order, and each entry names the one before it",
          "[pipeline]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const auto line = make_line({.count = 12, .record_count = 40});
    const Host host;
    host.put_files(line);
    Run run(vault, host);
    run.archive(line);
    CHECK(run.kinds() == std::string(12, 'a'));
    for (std::size_t i = 0; i < line.size(); ++i) {
        CHECK(run.delivered()[i].first == line[i].name);
        CHECK(run.delivered()[i].second.version == *find_file(host.path(line[i].name)));
        const auto entry = vault.entries().find(vault.layout().segment_key(line[i].name))->entry;
        CHECK(entry.predecessor.has_value() == (i > 0));
        if (i > 0) CHECK(entry.predecessor->file_name == line[i - 1].name);
        if (i > 0)
            CHECK(entry.predecessor->content_id == vault.contents().id_of(line[i - 1].bytes));
        CHECK(equal(*fetch(vault, line[i].name), line[i].bytes));
    }
    CHECK(problems_of(verify(vault)).empty());
    CHECK(host.state().last_archived()->file_name == line.back().name);
}

TEST_CASE("in the steady state a segment costs two puts and nothing else", "[pipeline]") {
    MemoryStorage storage;
    CountingStorage counting(storage);
    const auto vault = make_vault(counting);
    put_test_identity(vault);
    const auto line = make_line({.count = 12, .record_count = 40});
    const Host host;
    host.put_files(line);
    Run run(vault, host);
    run.archive(part(line, 0, 1));
    const auto before = counting.counts();
    run.archive(part(line, 1, 11));
    const auto after = counting.counts();
    CHECK(run.kinds() == std::string(12, 'a'));
    CHECK(after.put_count - before.put_count == 22);
    CHECK(after.created_count - before.created_count == 22);
    CHECK(after.get_count == before.get_count);
    CHECK(after.get_range_count == before.get_range_count);
    CHECK(after.stat_count == before.stat_count);
    CHECK(after.list_count == before.list_count);
}

TEST_CASE("what is archived already costs one small get and one look each", "[pipeline]") {
    MemoryStorage memory;
    HeldStorage storage(memory);
    CountingStorage counting(storage);
    const auto vault = make_vault(counting);
    const auto plain = make_vault(memory);
    put_test_identity(plain);
    const auto line = make_line({.count = 6, .record_count = 40});
    const Host host;
    host.put_files(line);
    for (const WalFile& file : line) host.push(plain, file.name);
    Run run(vault, host);
    run.archive(line);
    CHECK(run.kinds() == std::string(6, 'p'));
    const auto counts = counting.counts();
    CHECK(counts.get_count == 6);
    CHECK(counts.get_size < 6 * 4096);
    CHECK(counts.stat_count == 6);
    CHECK(counts.put_count + counts.list_count + counts.get_range_count == 0);
}

TEST_CASE("the first entry is published alone, those behind it together", "[pipeline]") {
    MemoryStorage memory;
    HeldStorage storage(memory);
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const auto line = make_line({.count = 5, .record_count = 40});
    const Host host;
    host.put_files(line);
    Run run(vault, host, {.in_flight = 5});
    run.submit(line);
    CHECK(storage.await_begun(1) == std::vector<std::string>{line[0].name});
    // No content of the others may be there while the claim is not proven by the first one.
    CHECK(keys_of(memory, vault.layout().content_prefix()).size() == 1);
    storage.release(line[0].name);
    auto begun = storage.await_begun(5);
    std::sort(begun.begin(), begun.end());
    for (std::size_t i = 0; i < 5; ++i) CHECK(begun[i] == line[i].name);
    // The last one is in the store first: it is told last.
    for (std::size_t i = 4; i > 0; --i) storage.release(line[i].name);
    run.finish();
    CHECK(run.kinds() == "aaaaa");
    for (std::size_t i = 0; i < 5; ++i) CHECK(run.delivered()[i].first == line[i].name);
}

TEST_CASE("a conflict stops the window: nothing behind it is acknowledged (fault 20, row 19)",
          "[pipeline]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const auto line = make_line({.count = 10, .record_count = 40});
    const WalFile other = make_line({.count = 10, .seed = 5, .record_count = 40})[4];
    const Host host;
    host.put_files(line);
    // The name of the fifth is taken by other content, as a fork would.
    const Host fork("db2");
    fork.push(vault, line[0]);
    fork.push(vault, other);
    Run run(vault, host);
    run.archive(line);
    const std::string kinds = run.kinds();
    CHECK(kinds.substr(0, 5) == "paaaf");
    CHECK(kinds.find_first_not_of('s', 5) == std::string::npos);
    CHECK(run.delivered()[4].second.error->kind() == ErrorKind::conflict);
    CHECK(equal(*fetch(vault, line[4].name), other.bytes));
    CHECK(keys_of(storage, vault.layout().conflict_prefix()).size() == 1);
    // Asked again it is tried again, and says the same.
    run.archive(part(line, 4, 1));
    CHECK(run.kinds().substr(kinds.size()) == "f");
}

TEST_CASE("a failure is cleared by asking again, and nothing is stored twice", "[pipeline]") {
    MemoryStorage storage;
    FaultyStorage faulty(storage);
    const auto vault = make_vault(faulty);
    put_test_identity(vault);
    const auto line = make_line({.count = 8, .record_count = 40});
    const Host host;
    host.put_files(line);
    Run run(vault, host);
    run.archive(part(line, 0, 1));
    faulty.reset();
    faulty.inject({.at = 7, .verb = storage::StorageVerb::put_new});
    run.archive(part(line, 1, 7));
    const std::string kinds = run.kinds();
    const std::size_t failed = kinds.find('f');
    REQUIRE(failed != std::string::npos);
    CHECK(kinds.substr(0, failed) == std::string(failed, 'a'));
    CHECK(kinds.find_first_not_of('s', failed + 1) == std::string::npos);
    faulty.reset();
    run.archive(part(line, failed, 8 - failed));
    CHECK(run.kinds().substr(kinds.size()).find_first_not_of("ap") == std::string::npos);
    CHECK(problems_of(verify(vault)).empty());
    CHECK(keys_of(storage, vault.layout().content_prefix()).size() == 8);
}

TEST_CASE(
    "whatever call of the store fails, only what is durable is acknowledged (faults 2, 3, 20)",
    "[pipeline]") {
    const auto line = make_line({.count = 6, .record_count = 40});
    using Mode = storage::FaultMode;
    for (const Mode mode :
         {Mode::error_before, Mode::error_after, Mode::crash_before, Mode::crash_after}) {
        bool was_hit = true;
        for (std::uint64_t at = 1; was_hit; ++at) {
            MemoryStorage storage;
            FaultyStorage faulty(storage);
            const auto plain = make_vault(storage);
            put_test_identity(plain);
            const auto vault = make_vault(faulty);
            const Host host;
            host.put_files(line);
            faulty.inject({.at = at, .mode = mode});
            Run run(vault, host);
            run.archive(line);
            was_hit = faulty.fault_count() > 0;
            const std::string kinds = run.kinds();
            const std::size_t archived = kinds.find_first_not_of("ap");
            CAPTURE(at, kinds);
            // The prefix rule: nothing behind the first that is not archived.
            if (archived != std::string::npos)
                CHECK(kinds.find_first_not_of("fs", archived) == std::string::npos);
            for (std::size_t i = 0; i < std::min(archived, line.size()); ++i) {
                const auto entry = plain.entries().find(plain.layout().segment_key(line[i].name));
                REQUIRE(entry);
                CHECK(entry->entry.content_id == plain.contents().id_of(line[i].bytes));
                CHECK(plain.contents().has(entry->entry));
            }
            // Another process, later: all of it goes in and is sound.
            for (const WalFile& file : line) host.push(plain, file.name);
            CHECK(problems_of(verify(plain)).empty());
        }
    }
}

TEST_CASE("histories, labels and damage go their way between the segments (fault 25)",
          "[pipeline]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const Fork fork = make_fork();
    const Host host;
    std::vector<WalFile> files = {fork.history};
    files.insert(files.end(), fork.parent.begin(), fork.parent.end());
    files.insert(files.end(), fork.child.begin(), fork.child.end());
    host.put_files(files);
    Run run(vault, host);
    run.archive(files);
    CHECK(run.kinds() == std::string(files.size(), 'a'));
    // The last of the parent was left in its middle: kept as a partial one.
    CHECK_FALSE(vault.entries().find(vault.layout().segment_key(fork.parent.back().name)));
    CHECK(keys_of(storage, vault.layout().label_prefix()).size() == 1);
    const auto first = vault.entries().find(vault.layout().segment_key(fork.child[0].name));
    CHECK(first->entry.predecessor->file_name == fork.parent[1].name);
    CHECK(problems_of(verify(vault)).empty());
}

TEST_CASE("damage at the source is marked for a listing, also in the middle of a line",
          "[pipeline]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    auto line = make_line({.count = 5});
    line[3].bytes[50'000] ^= std::byte{1};
    const Host host;
    host.put_files(line);
    Run run(vault, host);
    run.archive(line);
    CHECK(run.kinds() == "aaaaa");
    CHECK(run.delivered()[3].second.archive.warnings.size() == 1);
    const auto entry = vault.entries().find(vault.layout().segment_key(line[3].name));
    CHECK(keys_of(storage, vault.layout().damaged_prefix()) ==
          std::vector{vault.layout().damaged_key(line[3].name, entry->entry.content_id)});
}

TEST_CASE("a hole in the line is published alone, without a predecessor", "[pipeline]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    auto line = make_line({.count = 6, .record_count = 40});
    const Host host;
    line.erase(line.begin() + 3);
    host.put_files(line);
    Run run(vault, host);
    run.archive(line);
    CHECK(run.kinds() == "aaaaa");
    CHECK_FALSE(vault.entries().find(vault.layout().segment_key(line[3].name))->entry.predecessor);
    CHECK(vault.entries().find(vault.layout().segment_key(line[4].name))->entry.predecessor);
}

TEST_CASE("a line whose proof has expired is proven again: an adoption elsewhere stops it (row 21)",
          "[pipeline]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const auto line = make_line({.count = 6, .record_count = 40});
    const Host host;
    host.put_files(line);
    Run run(vault, host, {.proof_valid_for = std::chrono::milliseconds(0)});
    run.archive(part(line, 0, 3));
    Host("db2").adopt(vault, 1);
    run.archive(part(line, 3, 3));
    const std::string kinds = run.kinds();
    CHECK(kinds.substr(0, 4) == "aaaf");
    CHECK(kinds.find_first_not_of('s', 4) == std::string::npos);
    CHECK(run.delivered()[3].second.error->kind() == ErrorKind::conflict);
}

TEST_CASE("memory stays within its budget, and a file above it goes alone (row 33)", "[pipeline]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const auto line = make_line({.count = 10, .record_count = 40});
    const Host host;
    host.put_files(line);
    for (const std::size_t memory : {std::size_t{1}, std::size_t{9} << 20}) {
        MemoryStorage fresh;
        const auto other = make_vault(fresh);
        put_test_identity(other);
        host.lose_state();
        Run run(other, host, {.in_flight = 4, .prepare_count = 2, .memory = memory});
        run.archive(line);
        CHECK(run.kinds() == std::string(10, 'a'));
        CHECK(run.pipeline().memory_in_use() == 0);
        CHECK(run.pipeline().in_flight() == 0);
    }
}

TEST_CASE("a source that is gone or spoilt fails by name and stops what is behind it (rows 10, 11)",
          "[pipeline]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    auto line = make_line({.count = 5, .record_count = 40});
    const Host host;
    host.put_files(line);
    std::filesystem::remove(host.path(line[2].name));
    Run run(vault, host);
    run.archive(line);
    CHECK(run.kinds().substr(0, 3) == "aaf");
    CHECK(run.delivered()[2].second.error->message().find(line[2].name) != std::string::npos);
    CHECK(run.kinds().find_first_not_of('s', 3) == std::string::npos);
    CHECK(run.pipeline().in_flight() == 0);
}

TEST_CASE("closing a pipeline delivers everything that was submitted", "[pipeline]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const auto line = make_line({.count = 8, .record_count = 40});
    const Host host;
    host.put_files(line);
    Run run(vault, host, {.in_flight = 2});
    run.submit(line);
    run.close();
    CHECK(run.delivered().size() == 8);
    const std::string kinds = run.kinds();
    CHECK(kinds.find_first_not_of("as") == std::string::npos);
    CHECK(kinds.find_last_of('a') + 1 <= 8);
    for (std::size_t i = 0; i < kinds.find('s') && i < 8; ++i)
        CHECK(vault.entries().find(vault.layout().segment_key(line[i].name)));
}

TEST_CASE("bytes that were received are archived as a file is, files and bytes in one line",
          "[pipeline]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const auto line = make_line({.count = 6, .record_count = 40});
    const Host host;
    host.put_files(part(line, 0, 2));
    std::vector<archive::FileSource> sources;
    for (const WalFile& file : line) {
        sources.push_back({.name = file.name, .directory = host.wal_directory()});
        const bool is_received = sources.size() > 2;
        if (is_received) sources.back().bytes = std::make_shared<const Bytes>(file.bytes);
    }
    {
        Run run(vault, host);
        run.submit(sources);
        run.finish();
        CHECK(run.kinds() == std::string(6, 'a'));
        for (std::size_t i = 0; i < line.size(); ++i)
            CHECK(run.delivered()[i].second.version.has_value() == (i < 2));
    }
    for (std::size_t i = 0; i < line.size(); ++i) {
        CHECK(equal(*fetch(vault, line[i].name), line[i].bytes));
        const auto entry = vault.entries().find(vault.layout().segment_key(line[i].name))->entry;
        CHECK(entry.predecessor.has_value() == (i > 0));
    }
    // The receiver's bytes are its own again, and unchanged.
    CHECK(sources.back().bytes.use_count() == 1);
    CHECK(equal(*sources.back().bytes, line.back().bytes));
    CHECK(problems_of(verify(vault)).empty());
}

TEST_CASE("received bytes that are not what their name says are refused", "[pipeline]") {
    MemoryStorage storage;
    const auto vault = make_vault(storage);
    put_test_identity(vault);
    const auto line = make_line({.count = 2, .record_count = 40});
    const Host host;
    Run run(vault, host);
    run.submit(
        std::vector<archive::FileSource>{{.name = line[0].name,
                                          .directory = host.wal_directory(),
                                          .bytes = std::make_shared<const Bytes>(line[1].bytes)}});
    run.finish();
    CHECK(run.kinds() == "f");
    CHECK(keys_of(storage, vault.layout().prefix() + "wal/").empty());
}
