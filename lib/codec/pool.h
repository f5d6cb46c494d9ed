// Expensive objects that outlive the call that needed them: compression contexts, buffers.
#pragma once

#include "base/guarded.h"

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace walden::codec {

/// Lends objects; what comes back is lent again. There are never more objects than were in use at
/// once, and at most `idle_max` are kept while nobody uses them. Safe from several threads; must
/// outlive its leases.
template <class T>
class Pool {
public:
    explicit Pool(std::size_t idle_max) : idle_max_(idle_max) {
        idle_.with([&](Idle& idle) { idle.reserve(idle_max); });
    }

    /// Sole use of one object until the lease ends.
    class Lease {
    public:
        Lease(Pool& pool, std::unique_ptr<T> object) : pool_(pool), object_(std::move(object)) {}

        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;

        ~Lease() { pool_.put_back(std::move(object_)); }

        [[nodiscard]] T& operator*() const { return *object_; }

        [[nodiscard]] T* operator->() const { return object_.get(); }

    private:
        Pool& pool_;
        std::unique_ptr<T> object_;
    };

    /// Lends an idle object, or a new T() if there is none.
    [[nodiscard]] Lease lend() {
        auto object = idle_.with([](Idle& idle) {
            std::unique_ptr<T> last;
            if (!idle.empty()) {
                last = std::move(idle.back());
                idle.pop_back();
            }
            return last;
        });
        return Lease(*this, object ? std::move(object) : std::make_unique<T>());
    }

private:
    using Idle = std::vector<std::unique_ptr<T>>;

    void put_back(std::unique_ptr<T> object) noexcept {
        // Within the reserved capacity, so this cannot throw.
        idle_.with([&](Idle& idle) {
            if (idle.size() < idle_max_) idle.push_back(std::move(object));
        });
    }

    const std::size_t idle_max_;
    Guarded<Idle> idle_;
};

}  // namespace walden::codec
