// How much memory the files that are being fetched may take together.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace walden::recovery {

/// Safe from several threads. Its mutex guards what is in use, and is held for no longer than a
/// look at it; it may be taken while another is held.
class MemoryBudget {
public:
    explicit MemoryBudget(std::uint64_t size) : size_(size) {}

    /// Bytes of the budget, given back by the destructor.
    class Share {
    public:
        /// Waits until `size` bytes are free. Whoever needs more than there are in all gets them
        /// when nobody else has any.
        Share(MemoryBudget& budget, std::uint64_t size);
        Share(const Share&) = delete;
        Share& operator=(const Share&) = delete;
        ~Share();

    private:
        MemoryBudget& budget_;
        const std::uint64_t size_;
    };

    [[nodiscard]] std::uint64_t in_use() const;

    /// Whether there is no use in beginning anything that can wait.
    [[nodiscard]] bool is_used_up() const { return in_use() >= size_; }

private:
    const std::uint64_t size_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t in_use_ = 0;
};

}  // namespace walden::recovery
