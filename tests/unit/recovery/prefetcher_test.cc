#include "recovery/prefetcher.h"

#include "support/archive_fixture.h"
#include "support/counting_storage.h"
#include "support/errors.h"
#include "support/faulty_storage.h"
#include "support/gated_storage.h"
#include "support/memory_storage.h"
#include "support/served_recovery.h"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <random>
#include <thread>

using namespace walden;
using namespace walden::test;
using namespace walden::recovery;
using storage::FaultyStorage;
using storage::MemoryStorage;

namespace {

/// Timeline 1: 5 and 6, and 7 as .partial; timeline 2: its history and 7 to 16.
struct LongArchive {
    MemoryStorage storage;
    std::map<std::string, Bytes> files;
    std::vector<std::string> line;  ///< the names of a recovery to timeline 2

    LongArchive() {
        // Made once: sealing takes most of the time of these tests, under a sanitizer above all.
        static LongArchive original{Made{}};
        copy_storage(original.storage, storage);
        files = original.files;
        line = original.line;
    }

    [[nodiscard]] std::string entry_key(const std::string& name) const {
        const auto layout = make_vault(const_cast<MemoryStorage&>(storage)).layout();
        return name.size() == 24 ? layout.segment_key(name) : layout.history_key(name);
    }

private:
    struct Made {};

    explicit LongArchive(Made) {
        const auto vault = make_vault(storage);
        put_test_identity(vault);
        const Fork fork = make_fork();
        const Host host;
        std::vector<WalFile> all = {fork.parent[0], fork.parent[1], fork.history, fork.child[0],
                                    fork.child[1]};
        for (const WalFile& file : make_line({.first = {2, 9}, .count = 8})) all.push_back(file);
        for (const WalFile& file : all) {
            host.push(vault, file);
            files[file.name] = file.bytes;
            if (file.name.size() == 24) line.push_back(file.name);
        }
    }
};

const auto stays = [] { return true; };

Bytes bytes_of(const Delivery& delivery) {
    return read_range(delivery.file->fd(), 0, delivery.file->stamp().size, "delivery");
}

template <class Kind>
bool is_a(const Prefetcher::Answer& answer) {
    return answer && std::holds_alternative<Kind>(*answer);
}

/// The origin of the file, which must be the archived one.
Origin check_delivered(Prefetcher& prefetcher, const LongArchive& archive,
                       const std::string& name) {
    INFO(name);
    const auto answer = prefetcher.fetch(name, stays);
    REQUIRE(is_a<Delivery>(answer));
    const auto& delivery = std::get<Delivery>(*answer);
    CHECK(equal(bytes_of(delivery), archive.files.at(name)));
    return delivery.origin;
}

/// A deadline for tests that would hang, and nothing else.
template <class Condition>
void await(const Condition& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
        REQUIRE(std::chrono::steady_clock::now() < deadline);
        std::this_thread::yield();
    }
}

void await_ready(Prefetcher& prefetcher, std::uint64_t count) {
    await([&] { return prefetcher.status().ready_count >= count; });
}

/// Nothing is being fetched any more.
void await_rest(Prefetcher& prefetcher) {
    await([&] { return prefetcher.is_idle(); });
}

struct Running {
    LongArchive archive;
    GatedStorage gate{archive.storage};
    storage::CountingStorage counting{gate};
    FaultyStorage storage{counting};
    testing::ScratchDirectory scratch;
    ServedRecovery served;
    Prefetcher& prefetcher = *served.prefetcher;

    explicit Running(PrefetchOptions options = {})
        : served(storage, scratch.path(), std::move(options)) {}

    ~Running() { gate.open_all(); }

    Origin take(const std::string& name) { return check_delivered(prefetcher, archive, name); }

    void remove(const std::string& name) {
        archive.storage.remove(std::vector<std::string>{archive.entry_key(name)});
    }
};

}  // namespace

TEST_CASE("the next segments are there when they are asked for, across a switch", "[prefetch]") {
    Running running;
    const auto& line = running.archive.line;
    CHECK(running.take("00000002.history") == Origin::fetched);
    CHECK(running.take(line[0]) == Origin::fetched);
    for (std::size_t i = 1; i < line.size(); ++i) {
        // They are begun in order: when none is running, the first of them is ready.
        await([&] {
            const auto status = running.prefetcher.status();
            return status.in_flight == 0 && status.ready_count > 0;
        });
        CHECK(running.take(line[i]) == Origin::prefetched);
    }
    const PrefetchStatus status = running.prefetcher.status();
    CHECK(status.prefetched_count == line.size() - 1);
    CHECK(status.last_delivered == line.back());
    CHECK(status.failure_count == 0);
    CHECK(std::filesystem::is_empty(running.scratch.path()));
}

TEST_CASE("an agent that begins in mid-recovery crosses the switch without a miss", "[prefetch]") {
    Running running;
    const auto& line = running.archive.line;
    const auto before = running.counting.counts();
    // No history was asked for: the agent before this one was asked.
    CHECK(running.take(line[0]) == Origin::fetched);
    await([&] { return running.prefetcher.status().last_in_archive == line.back(); });
    CHECK(running.counting.counts().list_count - before.list_count == 2);  // histories, and the end
    for (std::size_t i = 1; i < line.size(); ++i) {
        await([&] {
            const auto status = running.prefetcher.status();
            return status.in_flight == 0 && status.ready_count > 0;
        });
        CHECK(running.take(line[i]) == Origin::prefetched);
    }
    CHECK(running.prefetcher.status().prefetched_count == line.size() - 1);
}

TEST_CASE("a server that stays on its timeline corrects a guess that is wrong", "[prefetch]") {
    Running running;
    // The old primary wrote on behind the switch.
    const WalFile rest = make_line({.first = {1, 7}, .count = 1}).front();
    const Fork fork = make_fork();
    const Host old_primary;
    old_primary.put_files({fork.parent[0], fork.parent[1]});
    old_primary.push(make_vault(running.archive.storage), rest);
    running.archive.files[rest.name] = rest.bytes;
    CHECK(running.take(running.archive.line[0]) == Origin::fetched);
    await([&] { return !running.prefetcher.status().last_in_archive.empty(); });
    static_cast<void>(running.take(running.archive.line[1]));
    await_rest(running.prefetcher);
    static_cast<void>(running.take(rest.name));
    await_rest(running.prefetcher);
    // It goes no further on the guessed line.
    CHECK(running.prefetcher.status().ready_count == 0);
    CHECK(is_a<NotThere>(
        running.prefetcher.fetch(to_string(wal::SegmentName{1, 8}, test_segment_size), stays)));
}

TEST_CASE("the archive's end and the time until then are told", "[prefetch]") {
    Running running;
    const auto& line = running.archive.line;
    static_cast<void>(running.take("00000002.history"));
    static_cast<void>(running.take(line[2]));
    await([&] { return !running.prefetcher.status().last_in_archive.empty(); });
    await_ready(running.prefetcher, 1);
    static_cast<void>(running.take(line[3]));
    const PrefetchStatus status = running.prefetcher.status();
    CHECK(status.last_in_archive == line.back());
    CHECK(status.remaining_count == line.size() - 4);
    CHECK(status.replay_us > 0);
    CHECK(status.remaining_us == status.remaining_count * status.replay_us);
}

TEST_CASE("a segment that is being fetched is awaited", "[prefetch]") {
    Running running;
    const auto& line = running.archive.line;
    static_cast<void>(running.take("00000002.history"));
    running.gate.close(line[3]);
    static_cast<void>(running.take(line[2]));
    running.gate.await_reader();
    const std::jthread opener([&] { running.gate.open_all(); });
    const Origin origin = running.take(line[3]);
    CHECK((origin == Origin::awaited || origin == Origin::prefetched));
}

TEST_CASE("who waits for a segment that hangs may go", "[prefetch]") {
    Running running;
    const auto& line = running.archive.line;
    running.gate.close(line[0]);
    CHECK_FALSE(running.prefetcher.fetch(line[0], [] { return false; }).has_value());
    running.gate.open_all();
    CHECK(running.take(line[0]) == Origin::fetched);
}

TEST_CASE("no more is ahead than the budget allows", "[prefetch]") {
    Running running({.size = 3 << 20});
    const auto& line = running.archive.line;
    static_cast<void>(running.take("00000002.history"));
    // Misses make it deeper, as far as it may be.
    for (std::size_t i = 0; i < 4; ++i) static_cast<void>(running.take(line[i]));
    await_ready(running.prefetcher, 3);
    await_rest(running.prefetcher);
    CHECK(running.prefetcher.status().ready_size == 3 << 20);
    CHECK(running.prefetcher.status().depth == 3);

    Running none({.size = 0});
    static_cast<void>(none.take(line[2]));
    await_rest(none.prefetcher);
    CHECK(none.take(line[3]) == Origin::fetched);
    CHECK(none.prefetcher.status().depth == 0);
}

TEST_CASE("what needs more memory than there is is fetched alone", "[prefetch]") {
    Running running({.memory = 1});
    for (const std::string& name : running.archive.line) static_cast<void>(running.take(name));
    CHECK(running.prefetcher.status().memory_in_use <= 4 << 20);
}

TEST_CASE("behind the end of WAL nothing is tried until the server asks (invariant 18)",
          "[prefetch]") {
    Running running;
    const auto& line = running.archive.line;
    static_cast<void>(running.take("00000002.history"));
    static_cast<void>(running.take(line[line.size() - 2]));
    await_ready(running.prefetcher, 1);
    await_rest(running.prefetcher);
    static_cast<void>(running.take(line.back()));
    await_rest(running.prefetcher);
    const std::string next = "000000020000000000000011";
    const auto plain_begin = running.counting.counts();
    CHECK_FALSE(fetch(make_vault(running.counting), next).has_value());
    const auto plain_end = running.counting.counts();
    for (int i = 0; i < 3; ++i) CHECK(is_a<NotThere>(running.prefetcher.fetch(next, stays)));
    await_rest(running.prefetcher);
    // What a plain fetch asks, each time anew (invariant 16), and nothing else.
    const auto end = running.counting.counts();
    const auto get_count = end.get_count - plain_end.get_count;
    const auto plain_count = plain_end.get_count - plain_begin.get_count;
    CHECK(get_count >= 3 * plain_count);
    // One attempt ahead, when the last segment was delivered, may come as late as this.
    CHECK(get_count <= 3 * plain_count + 1);
    CHECK(end.list_count - plain_end.list_count ==
          3 * (plain_end.list_count - plain_begin.list_count));
}

TEST_CASE("\"not there\" is believed of a store that still is the one it was (invariant 16)",
          "[prefetch]") {
    Running running;
    running.served.is_mounted = false;
    const auto answer = running.prefetcher.fetch("000000020000000000000099", stays);
    REQUIRE(is_a<Error>(answer));
    CHECK(std::get<Error>(*answer).kind() == ErrorKind::not_found);
    running.served.is_mounted = true;
    CHECK(is_a<NotThere>(running.prefetcher.fetch("000000020000000000000099", stays)));
}

TEST_CASE("nothing is ahead of a server that is gone or out of recovery (invariant 21)",
          "[prefetch]") {
    Running running;
    const auto& line = running.archive.line;
    static_cast<void>(running.take("00000002.history"));
    static_cast<void>(running.take(line[2]));
    await_ready(running.prefetcher, 2);
    running.served.is_recovering = false;
    await([&] { return running.prefetcher.status().ready_count == 0; });
    CHECK(running.take(line[3]) == Origin::fetched);
    await_rest(running.prefetcher);
    CHECK(running.prefetcher.status().ready_count == 0);
}

TEST_CASE("another cluster in the data directory ends what was ahead (invariant 19)",
          "[prefetch]") {
    Running running;
    const auto& line = running.archive.line;
    static_cast<void>(running.take("00000002.history"));
    static_cast<void>(running.take(line[2]));
    await_ready(running.prefetcher, 1);
    const int opened = running.served.open_count;
    running.served.is_current = false;
    CHECK(running.take(line[3]) == Origin::fetched);
    CHECK(running.served.open_count > opened);
}

TEST_CASE("an agent that leaves works ahead of nobody", "[prefetch]") {
    Running running;
    const auto& line = running.archive.line;
    static_cast<void>(running.take(line[2]));
    running.prefetcher.stop_prefetching();
    CHECK(running.prefetcher.status().ready_count == 0);
    CHECK(running.take(line[3]) == Origin::fetched);
    await_rest(running.prefetcher);
    CHECK(running.prefetcher.status().ready_count == 0);
}

TEST_CASE("a failure ahead decides nothing (fault 50)", "[prefetch][faults]") {
    Running running;
    const auto& line = running.archive.line;
    static_cast<void>(running.take("00000002.history"));
    running.storage.inject({.at = 1,
                            .repeat = storage::Fault::Repeat::from_then_on,
                            .verb = storage::StorageVerb::get});
    CHECK(is_a<Error>(running.prefetcher.fetch(line[2], stays)));
    running.storage.reset();
    CHECK(running.take(line[2]) == Origin::fetched);
    // Whatever comes of what is being fetched meanwhile.
    running.storage.inject_randomly(7, 0.5, {storage::FaultMode::error_before});
    await_rest(running.prefetcher);
    running.storage.reset();
    for (std::size_t i = 3; i < line.size(); ++i) static_cast<void>(running.take(line[i]));
}

TEST_CASE("a prefetched file that was written to is fetched again (fault 50, invariant 14)",
          "[prefetch]") {
    Running running;
    const auto& line = running.archive.line;
    static_cast<void>(running.take("00000002.history"));
    static_cast<void>(running.take(line[2]));
    await_ready(running.prefetcher, 1);
    await_rest(running.prefetcher);
    for (const auto& item : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        const std::string target = std::filesystem::read_symlink(item.path(), gone).string();
        if (!mentions(target, running.scratch.path() + "/#")) continue;
        const FileDescriptor fd(::open(item.path().c_str(), O_WRONLY | O_CLOEXEC));
        REQUIRE(fd.valid());
        REQUIRE(::pwrite(fd.get(), "x", 1, 5000) == 1);
    }
    CHECK(running.take(line[3]) == Origin::fetched);
    CHECK(mentions(running.prefetcher.status().last_failure, "somebody wrote to " + line[3]));
}

TEST_CASE("any sequence of questions has the answers of a plain fetch (invariants 14, 16, 18)",
          "[prefetch]") {
    for (unsigned seed = 1; seed <= 6; ++seed) {
        INFO("seed " << seed);
        Running running({.size = (seed % 3 + 1) * 4 << 20});
        std::mt19937 random(seed);
        std::vector<std::string> names = running.archive.line;
        for (const char* more :
             {"000000020000000000000011", "000000020000000000000005", "000000010000000000000007",
              "000000010000000000000008", "00000002.history", "00000003.history"})
            names.emplace_back(more);
        std::map<std::string, Bytes> taken_away;
        std::size_t at = 0;
        std::size_t delivered_count = 0;
        for (int step = 0; step < 120; ++step) {
            const auto chance = random() % 100;
            if (chance < 60)
                at = (at + 1) % names.size();
            else if (chance < 70)
                at = (at + names.size() - 1) % names.size();
            else if (chance < 80)
                at = random() % names.size();
            const std::string& name = names[at];
            INFO("step " << step << " " << name);
            if (chance < 10) {
                const std::string key = running.archive.entry_key(names[random() % names.size()]);
                Bytes object;
                if (taken_away.count(key) > 0) {
                    running.archive.storage.put_new(key, taken_away[key]);
                    taken_away.erase(key);
                } else if (running.archive.storage.get(key, object)) {
                    running.archive.storage.remove(std::vector<std::string>{key});
                    taken_away[key] = object;
                }
            }
            std::optional<Bytes> plain;
            const auto plain_failure =
                kind_of([&] { plain = fetch(make_vault(running.archive.storage), name); });
            const auto answer = running.prefetcher.fetch(name, stays);
            REQUIRE(answer.has_value());
            if (const auto* delivery = std::get_if<Delivery>(&*answer)) {
                ++delivered_count;
                CHECK(equal(bytes_of(*delivery), running.archive.files.at(name)));
                // It may have been taken away only after it was prefetched.
                CHECK((plain.has_value() || delivery->origin == Origin::prefetched ||
                       delivery->origin == Origin::awaited));
            } else if (const auto* error = std::get_if<Error>(&*answer)) {
                CHECK(plain_failure == error->kind());
            } else {
                CHECK_FALSE(plain_failure.has_value());
                CHECK_FALSE(plain.has_value());
            }
        }
        CHECK(delivered_count > 40);
        CHECK(running.prefetcher.status().prefetched_count +
                  running.prefetcher.status().awaited_count >
              10);
    }
}
