// Every call of a push to the store fails once, in every way that a store can fail (invariants 1, 4
// to 7; faults 1 to 3, 14).
#include "base/file.h"
#include "base/format.h"
#include "support/archive_fixture.h"
#include "support/errors.h"
#include "support/faulty_storage.h"
#include "support/memory_storage.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <functional>

using namespace walden;
using namespace walden::test;
using storage::FaultMode;
using storage::FaultyStorage;
using storage::MemoryStorage;

namespace {

const std::vector<FaultMode> all_modes = {FaultMode::error_before, FaultMode::error_after,
                                          FaultMode::crash_before, FaultMode::crash_after,
                                          FaultMode::torn_read,    FaultMode::bit_flip,
                                          FaultMode::stale_absent};

/// What is there before the push that is to fail, and which push it is.
struct Scenario {
    MemoryStorage base;
    Host host;
    std::optional<Bytes> state;
    WalFile file;

    Scenario() { put_test_identity(make_vault(base)); }

    void prepare(const WalFile& before) { host.push(make_vault(base), before); }

    void finish(const WalFile& next) {
        file = next;
        state = read_file(host.state_path(), 1 << 16);
        host.put_file(file);
    }

    void restore_state() const {
        host.lose_state();
        if (!state) return;
        make_directories(parent_directory(host.state_path()));
        write_file_durably(host.state_path(), *state, 0600);
    }
};

/// One push with one fault, and all that must hold after it.
bool run(const Scenario& scenario, std::uint64_t n, FaultMode mode) {
    MemoryStorage memory;
    copy_storage(const_cast<MemoryStorage&>(scenario.base), memory);
    scenario.restore_state();
    FaultyStorage faulty(memory);
    faulty.inject({.at = n, .mode = mode});
    const auto failure =
        error_of([&] { scenario.host.push(make_vault(faulty), scenario.file.name); });
    if (faulty.call_count() < n) return false;

    INFO("call " << n << " mode " << static_cast<int>(mode) << ": "
                 << (failure ? failure->message() : "pushed"));
    const auto vault = make_vault(memory);
    const std::string problems = problems_of(verify(vault));
    if (!problems.empty()) FAIL_CHECK(problems);
    if (!failure) {
        const auto fetched = fetch(vault, scenario.file.name);
        REQUIRE(fetched.has_value());
        CHECK(equal(*fetched, scenario.file.bytes));
    }
    const auto again = error_of([&] { scenario.host.push(vault, scenario.file.name); });
    if (again) FAIL_CHECK("the next push: " << again->message());
    const auto fetched = fetch(vault, scenario.file.name);
    REQUIRE(fetched.has_value());
    CHECK(equal(*fetched, scenario.file.bytes));
    // What was there stays as it was.
    for (const std::string& key : keys_of(const_cast<MemoryStorage&>(scenario.base)))
        if (!equal(get(const_cast<MemoryStorage&>(scenario.base), key), get(memory, key)))
            FAIL_CHECK(key << " was changed");
    return true;
}

std::uint64_t run_all(const Scenario& scenario) {
    std::uint64_t calls = 0;
    for (const FaultMode mode : all_modes)
        for (std::uint64_t n = 1; run(scenario, n, mode); ++n) calls = std::max(calls, n);
    return calls;
}

}  // namespace

TEST_CASE("a push of the next segment survives a fault of every call", "[archive][faults]") {
    Scenario scenario;
    const auto line = make_line({.count = 2, .record_count = 40});
    scenario.prepare(line[0]);
    scenario.finish(line[1]);
    CHECK(run_all(scenario) >= 6);
}

TEST_CASE("a push of a small segment survives a fault of every call", "[archive][faults]") {
    Scenario scenario;
    const auto line = make_line({.count = 2, .record_count = 3});
    scenario.prepare(line[0]);
    scenario.finish(line[1]);
    CHECK(run_all(scenario) >= 5);
}

TEST_CASE("a first push on a timeline survives a fault of every call", "[archive][faults]") {
    Scenario scenario;
    scenario.finish(make_line({.count = 1, .record_count = 40}).front());
    CHECK(run_all(scenario) >= 5);
}

TEST_CASE("a push of a history survives a fault of every call", "[archive][faults]") {
    Scenario scenario;
    scenario.finish(make_fork().history);
    CHECK(run_all(scenario) >= 4);
}

TEST_CASE("a first push behind a history survives a fault of every call", "[archive][faults]") {
    Scenario scenario;
    const Fork fork = make_fork();
    scenario.prepare(fork.parent[0]);
    scenario.prepare(fork.parent[1]);
    scenario.prepare(fork.history);
    scenario.finish(fork.child[0]);
    CHECK(run_all(scenario) >= 6);
}

TEST_CASE("a push of what is there already survives a fault of every call", "[archive][faults]") {
    Scenario scenario;
    const auto line = make_line({.count = 2, .record_count = 40});
    scenario.prepare(line[0]);
    scenario.prepare(line[1]);
    scenario.finish(line[1]);
    CHECK(run_all(scenario) >= 3);
}

TEST_CASE("a push without local state survives a fault of every call", "[archive][faults]") {
    Scenario scenario;
    const auto line = make_line({.count = 2, .record_count = 5});
    scenario.prepare(line[0]);
    scenario.finish(line[1]);
    scenario.state.reset();
    CHECK(run_all(scenario) >= 5);
}

TEST_CASE("other content is a conflict or a failure under every fault, never stored over",
          "[archive][faults]") {
    MemoryStorage base;
    put_test_identity(make_vault(base));
    const Host owner;
    const WalFile sound = make_line({.count = 1, .record_count = 40}).front();
    owner.push(make_vault(base), sound);
    const Host clone("clone");
    const WalFile other = make_line({.count = 1, .seed = 9, .record_count = 40}).front();
    clone.put_file(other);
    for (const FaultMode mode : all_modes)
        for (std::uint64_t n = 1;; ++n) {
            INFO("call " << n << " mode " << static_cast<int>(mode));
            MemoryStorage memory;
            copy_storage(base, memory);
            FaultyStorage faulty(memory);
            faulty.inject({.at = n, .mode = mode});
            const auto failure = kind_of([&] { clone.push(make_vault(faulty), other.name); });
            if (faulty.call_count() < n) break;
            CHECK(failure.has_value());
            CHECK(equal(*fetch(make_vault(memory), sound.name), sound.bytes));
            CHECK(kind_of([&] { clone.push(make_vault(memory), other.name); }) ==
                  ErrorKind::conflict);
            const auto report = verify(make_vault(memory));
            CHECK(problems_of(report).empty());
            CHECK(report.notes.size() == 1);
        }
}
