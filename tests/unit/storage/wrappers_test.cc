#include "base/format.h"
#include "storage/wrappers/retrying_storage.h"
#include "support/counting_storage.h"
#include "support/faulty_storage.h"
#include "support/memory_storage.h"

#include <catch2/catch.hpp>

#include <set>
#include <vector>

using namespace walden;
using namespace walden::storage;
using namespace std::chrono_literals;
using vault::ObjectInfo;
using PutOutcome = vault::ObjectStorage::PutOutcome;

namespace {

std::optional<Error> error_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error;
    }
    return std::nullopt;
}

void put(vault::ObjectStorage& storage, const std::string& key, std::string_view text) {
    REQUIRE(storage.put_new(key, as_bytes(text)) == PutOutcome::created);
}

std::vector<std::string> list_keys(vault::ObjectStorage& storage) {
    std::vector<std::string> keys;
    storage.list("", "", [&](const ObjectInfo& info) {
        keys.push_back(info.key);
        return true;
    });
    return keys;
}

/// A clock that only sleeping moves, and a record of the sleeps.
struct TestTime {
    RetryOptions::Clock::time_point now{};
    std::vector<std::chrono::milliseconds> sleeps;
    double random = 0.5;

    RetryOptions options() {
        RetryOptions options;
        options.attempt_count_max = 5;
        options.delay_base = 100ms;
        options.delay_cap = 1000ms;
        options.now = [this] { return now; };
        options.random = [this] { return random; };
        options.sleep = [this](std::chrono::milliseconds delay, const std::stop_token&) {
            sleeps.push_back(delay);
            now += delay;
        };
        return options;
    }
};

}  // namespace

TEST_CASE("the delay doubles up to its cap and is anywhere below", "[storage][retry]") {
    CHECK(next_delay(100ms, 1000ms, 1, 0.999999) == 99ms);
    CHECK(next_delay(100ms, 1000ms, 1, 0.0) == 0ms);
    CHECK(next_delay(100ms, 1000ms, 1, 0.5) == 50ms);
    CHECK(next_delay(100ms, 1000ms, 2, 0.5) == 100ms);
    CHECK(next_delay(100ms, 1000ms, 4, 0.5) == 400ms);
    CHECK(next_delay(100ms, 1000ms, 5, 0.5) == 500ms);
    CHECK(next_delay(100ms, 1000ms, 4'000'000'000U, 0.5) == 500ms);
    CHECK(next_delay(2000ms, 1000ms, 1, 0.5) == 500ms);
    CHECK(next_delay(0ms, 1000ms, 9, 0.5) == 0ms);
    CHECK(next_delay(100ms, 1000ms, 0, 0.5) == 50ms);
    const std::chrono::milliseconds longest = std::chrono::milliseconds::max();
    CHECK(next_delay(longest, longest, 99, 0.5) > 0ms);
}

TEST_CASE("random fractions lie in [0, 1) and differ", "[storage][retry]") {
    std::set<double> seen;
    for (int i = 0; i < 100; ++i) {
        const double fraction = RetryOptions::random_fraction();
        CHECK(fraction >= 0);
        CHECK(fraction < 1);
        seen.insert(fraction);
    }
    CHECK(seen.size() == 100);
}

TEST_CASE("what is unavailable is tried again, and the observer is told", "[storage][retry]") {
    MemoryStorage memory;
    FaultyStorage faulty(memory);
    TestTime time;
    RetryOptions options = time.options();
    std::vector<std::string> notices;
    options.observe = [&](const RetryNotice& notice) {
        notices.push_back(format("{} {} {} {}", notice.verb, notice.failure_count,
                                 notice.delay.count(), notice.error.message()));
    };
    RetryingStorage retrying(faulty, options);
    faulty.inject({.at = 1});
    faulty.inject({.at = 2});
    CHECK(retrying.put_new("k", as_bytes("x")) == PutOutcome::created);
    CHECK(time.sleeps == std::vector{50ms, 100ms});
    CHECK(notices == std::vector<std::string>{"put_new 1 50 injected: failed before the effect",
                                              "put_new 2 100 injected: failed before the effect"});
}

TEST_CASE("a store that says when to come back is not asked earlier (fault 3)",
          "[storage][retry]") {
    /// Throttles its first calls, the later ones with a longer wait.
    class ThrottledStorage : public ForwardingStorage {
    public:
        using ForwardingStorage::ForwardingStorage;

        std::optional<ObjectInfo> stat(const std::string& key) override {
            if (delays.empty()) return inner().stat(key);
            const auto delay = delays.front();
            delays.erase(delays.begin());
            throw Error(ErrorKind::unavailable, "slow down").with_retry_after(delay);
        }

        std::vector<std::chrono::milliseconds> delays;
    };

    MemoryStorage memory;
    ThrottledStorage throttled(memory);
    TestTime time;
    throttled.delays = {3000ms, 1ms};
    RetryingStorage retrying(throttled, time.options());
    CHECK_FALSE(retrying.stat("k").has_value());
    CHECK(time.sleeps == std::vector{3000ms, 100ms});

    // A wait beyond the deadline is not begun.
    time.sleeps.clear();
    throttled.delays = {60'000ms};
    RetryOptions options = time.options();
    options.deadline = time.now + 10'000ms;
    RetryingStorage hurried(throttled, options);
    const auto error = error_of([&] { static_cast<void>(hurried.stat("k")); });
    REQUIRE(error);
    CHECK(error->detail() == "Gave up after 1 attempt as the time was over.");
    CHECK(time.sleeps.empty());
}

TEST_CASE("every verb is tried again", "[storage][retry]") {
    MemoryStorage memory;
    FaultyStorage faulty(memory);
    TestTime time;
    RetryingStorage retrying(faulty, time.options());
    put(memory, "k", "text");
    Bytes out;
    const std::vector<std::function<void()>> calls = {
        [&] { CHECK(retrying.put_new("k2", {}) == PutOutcome::created); },
        [&] { CHECK(retrying.get("k", out)); },
        [&] { CHECK(retrying.get_range("k", 1, 2, out)); },
        [&] { CHECK(retrying.stat("k")->size == 4); },
        [&] { CHECK(list_keys(retrying).size() == 2); },
        [&] { retrying.remove(std::vector<std::string>{"k2"}); },
    };
    for (const auto& call : calls) {
        const std::uint64_t before = faulty.call_count();
        faulty.inject({.at = 1});
        call();
        CHECK(faulty.call_count() == before + 2);
    }
    CHECK(list_keys(memory) == std::vector<std::string>{"k"});
}

TEST_CASE("only unavailable is tried again", "[storage][retry]") {
    for (const ErrorKind kind :
         {ErrorKind::usage, ErrorKind::not_found, ErrorKind::conflict, ErrorKind::foreign,
          ErrorKind::corrupt, ErrorKind::denied, ErrorKind::io, ErrorKind::canceled}) {
        MemoryStorage memory;
        FaultyStorage faulty(memory);
        TestTime time;
        RetryingStorage retrying(faulty, time.options());
        faulty.inject({.at = 1, .kind = kind});
        CHECK(error_of([&] { static_cast<void>(retrying.stat("k")); })->kind() == kind);
        CHECK(faulty.call_count() == 1);
    }
}

TEST_CASE("after the last attempt the error leaves and says how often was tried",
          "[storage][retry]") {
    MemoryStorage memory;
    FaultyStorage faulty(memory);
    TestTime time;
    RetryingStorage retrying(faulty, time.options());
    faulty.inject({.at = 1, .repeat = Fault::Repeat::from_then_on});
    const std::optional<Error> error = error_of([&] { static_cast<void>(retrying.stat("k")); });
    CHECK(error->kind() == ErrorKind::unavailable);
    CHECK(error->detail() == "Gave up after 5 attempts.");
    CHECK(faulty.call_count() == 5);
    CHECK(time.sleeps.size() == 4);
}

TEST_CASE("no attempt begins after the deadline, and no time is slept away before it",
          "[storage][retry]") {
    STATIC_REQUIRE(RetryOptions::Clock::is_steady);  // nobody sets it (invariant 41)
    MemoryStorage memory;
    FaultyStorage faulty(memory);
    TestTime time;
    RetryOptions options = time.options();
    options.attempt_count_max = 1000;
    options.deadline = time.now + 400ms;  // sleeps would be 50, 100, 200, 400
    RetryingStorage retrying(faulty, options);
    faulty.inject({.at = 1, .repeat = Fault::Repeat::from_then_on});
    const std::optional<Error> error = error_of([&] { static_cast<void>(retrying.stat("k")); });
    CHECK(error->kind() == ErrorKind::unavailable);
    CHECK(error->detail() == "Gave up after 4 attempts as the time was over.");
    CHECK(time.sleeps == std::vector{50ms, 100ms, 200ms});
    time.now = options.deadline;
    CHECK(error_of([&] { static_cast<void>(retrying.stat("k")); })->kind() == ErrorKind::canceled);
    CHECK(faulty.call_count() == 4);
}

TEST_CASE("a requested stop ends the retries at once", "[storage][retry]") {
    MemoryStorage memory;
    FaultyStorage faulty(memory);
    faulty.inject({.at = 1, .repeat = Fault::Repeat::from_then_on});
    std::stop_source source;
    RetryOptions options;  // the real clock and sleep: a stop must end an hour of waiting
    options.delay_base = options.delay_cap = 1h;
    options.random = [] { return 0.999; };
    options.stop = source.get_token();
    options.observe = [&](const RetryNotice&) { source.request_stop(); };
    RetryingStorage retrying(faulty, options);
    CHECK(error_of([&] { static_cast<void>(retrying.stat("k")); })->kind() == ErrorKind::canceled);
    CHECK(error_of([&] { static_cast<void>(retrying.stat("k")); })->kind() == ErrorKind::canceled);
    CHECK(faulty.call_count() == 1);
}

TEST_CASE("a put with an unknown outcome finds its own object when repeated (fault 2)",
          "[storage][retry]") {
    MemoryStorage memory;
    FaultyStorage faulty(memory);
    TestTime time;
    RetryingStorage retrying(faulty, time.options());
    faulty.inject({.at = 1, .mode = FaultMode::error_after});
    CHECK(retrying.put_new("k", as_bytes("mine")) == PutOutcome::already_present);
    Bytes out;
    REQUIRE(memory.get("k", out));
    CHECK(as_text(out) == "mine");
}

TEST_CASE("a listing that breaks off goes on where it was, each object once", "[storage][retry]") {
    MemoryStorage memory;
    for (int i = 0; i < 64; ++i) put(memory, format("k{:02}", i), "x");
    FaultyStorage faulty(memory);
    TestTime time;
    RetryingStorage retrying(faulty, time.options());
    // Every listing breaks off after half of what is left: 64, 32, ... 2, and 1, of which half is
    // nothing. More failures than attempts are allowed, but each got somewhere.
    for (std::uint64_t i = 1; i <= 7; ++i) faulty.inject({.at = i, .mode = FaultMode::torn_read});
    CHECK(list_keys(retrying) == list_keys(memory));
    CHECK(faulty.fault_count() == 7);
}

TEST_CASE("an unavailable error of the visitor is not repeated", "[storage][retry]") {
    MemoryStorage memory;
    put(memory, "k", "x");
    TestTime time;
    RetryingStorage retrying(memory, time.options());
    int visited = 0;
    const auto visit = [&](const ObjectInfo&) -> bool {
        ++visited;
        throw Error(ErrorKind::unavailable, "the visitor's own");
    };
    CHECK(error_of([&] { retrying.list("", "", visit); })->message() == "the visitor's own");
    CHECK(visited == 1);
    CHECK(time.sleeps.empty());
}

TEST_CASE("CountingStorage counts calls, failures, objects and bytes", "[storage][wrappers]") {
    MemoryStorage memory;
    FaultyStorage faulty(memory);
    CountingStorage counting(faulty);
    Bytes out;
    put(counting, "a", "12345");
    CHECK(counting.put_new("a", as_bytes("123")) == PutOutcome::already_present);
    put(counting, "b", "1");
    CHECK(counting.get("a", out));
    CHECK_FALSE(counting.get("c", out));
    CHECK(counting.get_range("a", 3, 10, out));
    CHECK(counting.stat("a").has_value());
    CHECK(list_keys(counting).size() == 2);
    counting.remove(std::vector<std::string>{"a", "c"});
    faulty.inject({.at = 1});
    CHECK(error_of([&] { static_cast<void>(counting.get("b", out)); }).has_value());
    StorageCounts expected;
    expected.put_count = 3;
    expected.created_count = 2;
    expected.put_size = 6;
    expected.get_count = 3;
    expected.get_range_count = 1;
    expected.get_size = 7;
    expected.stat_count = expected.list_count = expected.remove_count = 1;
    expected.listed_count = 2;
    expected.removed_count = 2;
    expected.failure_count = 1;
    CHECK(counting.counts() == expected);
}

TEST_CASE("a fault strikes at its call, before or after the effect", "[storage][faulty]") {
    MemoryStorage memory;
    FaultyStorage faulty(memory);
    faulty.inject({.at = 2, .mode = FaultMode::error_before, .kind = ErrorKind::denied});
    faulty.inject({.at = 3, .mode = FaultMode::error_after});
    put(faulty, "one", "x");
    CHECK(error_of([&] { static_cast<void>(faulty.put_new("two", {})); })->kind() ==
          ErrorKind::denied);
    CHECK(error_of([&] { static_cast<void>(faulty.put_new("three", {})); })->kind() ==
          ErrorKind::unavailable);
    put(faulty, "four", "x");
    CHECK(list_keys(memory) == std::vector<std::string>{"four", "one", "three"});
    CHECK(faulty.fault_count() == 2);
    CHECK(faulty.call_count() == 4);
}

TEST_CASE("a sticky fault strikes from its call on, of its verb only", "[storage][faulty]") {
    MemoryStorage memory;
    FaultyStorage faulty(memory);
    put(memory, "k", "x");
    faulty.inject({.at = 2, .repeat = Fault::Repeat::from_then_on, .verb = StorageVerb::get});
    Bytes out;
    CHECK(faulty.stat("k").has_value());
    CHECK(faulty.stat("k").has_value());
    CHECK(faulty.get("k", out));
    CHECK(error_of([&] { static_cast<void>(faulty.get("k", out)); }).has_value());
    CHECK(error_of([&] { static_cast<void>(faulty.get("k", out)); }).has_value());
    CHECK(faulty.stat("k").has_value());
    faulty.reset();
    CHECK(faulty.get("k", out));
}

TEST_CASE("damaged answers are silent", "[storage][faulty]") {
    MemoryStorage memory;
    FaultyStorage faulty(memory);
    put(memory, "k", "0123456789");
    Bytes out;
    faulty.inject({.at = 1, .mode = FaultMode::torn_read});
    CHECK(faulty.get("k", out));
    CHECK(as_text(out) == "01234");
    faulty.inject({.at = 1, .mode = FaultMode::bit_flip});
    CHECK(faulty.get("k", out));
    int flipped_bits = 0;
    for (std::size_t i = 0; i < 10; ++i)
        flipped_bits += std::popcount(
            static_cast<unsigned>(out[i] ^ static_cast<std::byte>('0' + static_cast<int>(i))));
    CHECK(flipped_bits == 1);
    faulty.inject(
        {.at = 1, .mode = FaultMode::stale_absent, .repeat = Fault::Repeat::from_then_on});
    CHECK_FALSE(faulty.get("k", out));
    CHECK_FALSE(faulty.get_range("k", 0, 1, out));
    CHECK_FALSE(faulty.stat("k").has_value());
    CHECK(list_keys(faulty).empty());
    CHECK(faulty.put_new("k", {}) == PutOutcome::already_present);
}

TEST_CASE("a crash lasts until revived, with or without the effect", "[storage][faulty]") {
    for (const FaultMode mode : {FaultMode::crash_before, FaultMode::crash_after}) {
        MemoryStorage memory;
        FaultyStorage faulty(memory);
        faulty.inject({.at = 1, .mode = mode});
        CHECK(error_of([&] { static_cast<void>(faulty.put_new("k", {})); }).has_value());
        CHECK(error_of([&] { static_cast<void>(faulty.stat("k")); }).has_value());
        CHECK(error_of([&] { faulty.remove({}); }).has_value());
        faulty.revive();
        CHECK(faulty.stat("k").has_value() == (mode == FaultMode::crash_after));
    }
}

TEST_CASE("a mode that does not apply to a verb leaves the call unharmed", "[storage][faulty]") {
    MemoryStorage memory;
    FaultyStorage faulty(memory);
    for (const FaultMode mode :
         {FaultMode::torn_read, FaultMode::bit_flip, FaultMode::stale_absent}) {
        faulty.inject({.at = 1, .mode = mode});
        faulty.remove({});
    }
    CHECK(faulty.fault_count() == 0);
}

TEST_CASE("random faults follow from the seed alone, at about their rate", "[storage][faulty]") {
    const auto run = [](std::uint64_t seed) {
        MemoryStorage memory;
        FaultyStorage faulty(memory);
        faulty.inject_randomly(seed, 0.25, {FaultMode::error_before, FaultMode::error_after});
        std::string history;
        for (int i = 0; i < 1000; ++i)
            history += error_of([&] { static_cast<void>(faulty.stat("k")); }) ? 'x' : '.';
        return history;
    };
    CHECK(run(1) == run(1));
    CHECK(run(1) != run(2));
    const std::string history = run(3);
    CHECK(std::count(history.begin(), history.end(), 'x') > 180);
    CHECK(std::count(history.begin(), history.end(), 'x') < 320);
}
