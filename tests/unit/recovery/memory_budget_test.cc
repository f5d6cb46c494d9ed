#include "recovery/memory_budget.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

using namespace walden::recovery;

TEST_CASE("shares of a memory budget never exceed it", "[prefetch]") {
    constexpr std::uint64_t size = 100;
    MemoryBudget budget(size);
    std::atomic<std::uint64_t> in_use{0};
    std::atomic<std::uint64_t> most{0};
    {
        std::vector<std::jthread> threads;
        for (const std::uint64_t need : {30U, 40U, 50U, 60U}) {
            threads.emplace_back([&, need] {
                for (int i = 0; i < 500; ++i) {
                    const MemoryBudget::Share share(budget, need);
                    const auto now = in_use += need;
                    for (auto seen = most.load(); seen < now;)
                        if (most.compare_exchange_weak(seen, now)) break;
                    in_use -= need;
                }
            });
        }
    }
    CHECK(most <= size);
    CHECK(most >= 60);
    CHECK(budget.in_use() == 0);
}

TEST_CASE("a file larger than the memory budget is read when nothing else is", "[prefetch]") {
    MemoryBudget budget(100);
    std::optional<MemoryBudget::Share> small;
    small.emplace(budget, 1);
    CHECK_FALSE(budget.is_used_up());
    std::atomic<bool> has_begun{false};
    std::atomic<bool> is_released{false};
    bool came_after = false;
    bool was_used_up = false;
    std::jthread large([&] {
        has_begun = true;
        const MemoryBudget::Share share(budget, 1000);
        came_after = is_released;
        was_used_up = budget.is_used_up();
    });
    while (!has_begun) std::this_thread::yield();
    is_released = true;
    small.reset();
    large.join();
    CHECK(came_after);
    CHECK(was_used_up);
    CHECK(budget.in_use() == 0);
    CHECK_FALSE(budget.is_used_up());
}
