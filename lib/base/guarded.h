// A value that can only be reached with its mutex held.
#pragma once

#include <mutex>
#include <utility>

namespace walden {

template <class T>
class Guarded {
public:
    Guarded() = default;

    explicit Guarded(T value) : value_(std::move(value)) {}

    /// Calls `use(value)` under the lock and returns its result. Never call back into code that
    /// may take the same lock.
    template <class Use>
    decltype(auto) with(Use&& use) {
        const std::lock_guard lock(mutex_);
        return std::forward<Use>(use)(value_);
    }

private:
    std::mutex mutex_;
    T value_{};
};

}  // namespace walden
