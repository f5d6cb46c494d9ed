// What a prefetcher says: answers to servers, and its state to people. Small: walden-fetch reads
// it.
#pragma once

#include "recovery/nameless_file.h"

#include <cstdint>
#include <memory>
#include <string>

namespace walden::recovery {

enum class Origin : std::uint8_t {
    prefetched,  ///< was there when it was asked for
    awaited,     ///< was being fetched
    fetched,     ///< is fetched because it was asked for
};

struct Delivery {
    std::shared_ptr<const NamelessFile> file;
    Origin origin = Origin::fetched;
};

/// The store, its identity proven in this call, has no such file and nothing says that it should.
struct NotThere {};

/// What `walden status` shows. Times in microseconds; sizes in bytes.
struct PrefetchStatus {
    std::uint64_t question_count = 0;
    std::uint64_t prefetched_count = 0;  ///< of the answers, by Origin
    std::uint64_t awaited_count = 0;
    std::uint64_t fetched_count = 0;
    std::uint64_t absent_count = 0;
    std::uint64_t failure_count = 0;    ///< questions that failed
    std::uint64_t discarded_count = 0;  ///< fetched ahead and not asked for, or damaged meanwhile
    std::uint64_t waited_us = 0;        ///< time that questions waited for their answers, in all
    std::uint64_t ready_count = 0;
    std::uint64_t ready_size = 0;
    std::uint64_t in_flight = 0;
    std::uint64_t memory_in_use = 0;
    std::uint64_t depth = 0;  ///< segments that are to be ahead; 0 without a stream
    std::uint64_t replay_us = 0;
    std::uint64_t fetch_us = 0;
    std::uint64_t remaining_count = 0;  ///< segments behind the last one asked for, when counted
    std::uint64_t remaining_us = 0;     ///< until they are replayed, at the present pace

    std::string last_delivered;
    std::string last_in_archive;  ///< the newest segment of the line, when it was looked for
    std::string last_failure;

    friend bool operator==(const PrefetchStatus&, const PrefetchStatus&) = default;
};

}  // namespace walden::recovery
