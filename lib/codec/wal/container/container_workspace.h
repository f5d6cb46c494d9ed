// What writing and reading containers keeps from one segment to the next. Internal to the
// container.
#pragma once

#include "base/bytes.h"
#include "base/guarded.h"
#include "codec/wal/container/byte_entropy.h"
#include "codec/wal/container/column_model.h"
#include "codec/wal/container/container_plan.h"
#include "codec/wal/container/stream_container.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace walden::codec::wal_codec {

/// What one thread works with.
struct Arena {
    Bytes planes;
    Bytes compressed;
    ColumnModel model;
    ModelChooser chooser;
    ByteEntropy entropy;

    // What this thread has written so far, task after task.
    Bytes plan;
    Bytes small;
    Bytes bodies;
};

/// As many arenas as threads work at once. What an arena has written stays with it, so they are not
/// a Pool, which may drop what comes back.
class ArenaSet {
public:
    /// Runs `body(arena)` with the sole use of one.
    template <class Body>
    void with_arena(const Body& body) {
        Return lease{idle_, take()};
        body(*lease.arena);
    }

    /// For all arenas, while none is in use.
    template <class Body>
    void for_each(const Body& body) {
        idle_.with([&](Idle& idle) {
            for (const auto& arena : idle.arenas) body(*arena);
        });
    }

private:
    struct Idle {
        std::vector<std::unique_ptr<Arena>> arenas;
        std::size_t made = 0;  ///< arenas that exist; there is room for all of them to come back
    };

    struct Return {
        Guarded<Idle>& idle;
        std::unique_ptr<Arena> arena;

        ~Return() {
            idle.with([&](Idle& list) { list.arenas.push_back(std::move(arena)); });
        }
    };

    std::unique_ptr<Arena> take() {
        return idle_.with([](Idle& idle) {
            if (idle.arenas.empty()) {
                auto arena = std::make_unique<Arena>();
                idle.arenas.reserve(idle.made + 1);
                ++idle.made;
                return arena;
            }
            auto last = std::move(idle.arenas.back());
            idle.arenas.pop_back();
            return last;
        });
    }

    Guarded<Idle> idle_;
};

/// A chunk of work for one thread, and where its result is.
struct WriteTask {
    std::size_t slot = 0;
    std::size_t offset = 0;  ///< of a plain stream: where its chunk begins
    std::size_t size = 0;    ///< bytes of the chunk, or of the whole table

    const Arena* arena = nullptr;
    std::size_t plan_begin = 0;
    std::size_t plan_size = 0;
    std::size_t small_begin = 0;
    std::size_t small_size = 0;
    std::size_t body_begin = 0;
    std::size_t body_size = 0;
};

struct ReadTask {
    std::size_t slot = 0;
    std::size_t offset = 0;
    std::size_t size = 0;
    PlanReader at;  ///< behind the size of the stream
};

struct ContainerWorkspace::State {
    ArenaSet arenas;
    std::vector<WriteTask> write_tasks;
    std::vector<ReadTask> read_tasks;
    std::vector<std::size_t> stream_sizes;
    Bytes directory;
    Bytes plan;
    Bytes small;
    Bytes compressed[3];  ///< the three above
};

}  // namespace walden::codec::wal_codec
