#include "recovery/memory_budget.h"

namespace walden::recovery {

MemoryBudget::Share::Share(MemoryBudget& budget, std::uint64_t size)
    : budget_(budget), size_(size) {
    std::unique_lock lock(budget_.mutex_);
    budget_.changed_.wait(
        lock, [&] { return budget_.in_use_ == 0 || budget_.in_use_ + size_ <= budget_.size_; });
    budget_.in_use_ += size_;
}

MemoryBudget::Share::~Share() {
    const std::lock_guard lock(budget_.mutex_);
    budget_.in_use_ -= size_;
    budget_.changed_.notify_all();
}

std::uint64_t MemoryBudget::in_use() const {
    const std::lock_guard lock(mutex_);
    return in_use_;
}

}  // namespace walden::recovery
