// Threads of a process that serves: as many as the system gives, and none left waiting for work
// when it gives fewer than that.
#pragma once

#include "base/error.h"

#include <cstddef>
#include <exception>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace walden {

/// A thread that runs `work`. nullopt where there is none to be had: limits of processes or memory.
template <class Work>
[[nodiscard]] std::optional<std::jthread> try_thread(const Work& work) {
    try {
        return std::jthread(work);
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

/// As try_thread(); throws Error(unavailable) instead.
template <class Work>
[[nodiscard]] std::jthread require_thread(const Work& work) {
    auto thread = try_thread(work);
    if (!thread)
        throw Error(ErrorKind::unavailable, "the system gives no thread")
            .with_hint("A limit of processes (ulimit -u, TasksMax) or of memory is reached.");
    return std::move(*thread);
}

/// At most `count` threads that run `work`, at least one. Throws as require_thread().
template <class Work>
[[nodiscard]] std::vector<std::jthread> start_crew(std::size_t count, const Work& work) {
    std::vector<std::jthread> crew;
    crew.reserve(count);
    crew.push_back(require_thread(work));
    while (crew.size() < count) {
        auto thread = try_thread(work);
        if (!thread) break;
        crew.push_back(std::move(*thread));
    }
    return crew;
}

}  // namespace walden
