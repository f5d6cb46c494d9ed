#include "base/awaiter.h"

#include <catch2/catch.hpp>

#include <stdexcept>
#include <thread>

using namespace walden;

TEST_CASE("who waits is told when it is done, without being asked whether he still does",
          "[awaiter]") {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_done = false;
    std::unique_lock lock(mutex);
    const std::jthread worker([&] {
        const std::lock_guard guard(mutex);
        is_done = true;
        changed.notify_all();
    });
    CHECK(await(
        lock, changed, [] { return true; }, [&] { return is_done; }));
    CHECK(lock.owns_lock());
}

TEST_CASE("who has gone is not waited for, unless it is done by then", "[awaiter]") {
    std::mutex mutex;
    std::condition_variable changed;
    std::unique_lock lock(mutex);
    bool is_done = false;
    int beats = 0;
    CHECK_FALSE(await(
        lock, changed,
        [&] {
            CHECK(mutex.try_lock());  // not held while he is asked
            mutex.unlock();
            return ++beats < 2;
        },
        [&] { return is_done; }));
    CHECK(beats == 2);
    CHECK(await(
        lock, changed, [&] { return !(is_done = true); }, [&] { return is_done; }));
}

TEST_CASE("what the heartbeat throws comes out with the lock held", "[awaiter]") {
    std::mutex mutex;
    std::condition_variable changed;
    std::unique_lock lock(mutex);
    CHECK_THROWS_AS(
        await(
            lock, changed, []() -> bool { throw std::runtime_error("no"); }, [] { return false; }),
        std::runtime_error);
    CHECK(lock.owns_lock());
}
