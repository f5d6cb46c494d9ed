// Counts what a piece of work asks of a storage.
#pragma once

#include "storage/wrappers/forwarding_storage.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace walden::storage {

/// Calls, and bytes of those that succeeded. A call that throws counts as a call and a failure.
struct StorageCounts {
    std::uint64_t put_count = 0;
    std::uint64_t get_count = 0;
    std::uint64_t get_range_count = 0;
    std::uint64_t stat_count = 0;
    std::uint64_t list_count = 0;
    std::uint64_t remove_count = 0;
    std::uint64_t failure_count = 0;
    std::uint64_t created_count = 0;  ///< put_new that stored something
    std::uint64_t listed_count = 0;   ///< objects that listings visited
    std::uint64_t removed_count = 0;  ///< keys handed to remove
    std::uint64_t put_size = 0;       ///< bytes of objects created
    std::uint64_t get_size = 0;       ///< bytes of whole and range reads

    friend bool operator==(const StorageCounts&, const StorageCounts&) = default;
};

class CountingStorage final : public ForwardingStorage {
public:
    /// `inner` must live longer.
    explicit CountingStorage(vault::ObjectStorage& inner) : ForwardingStorage(inner) {}

    PutOutcome put_new(const std::string& key, ByteView body) override;
    [[nodiscard]] bool get(const std::string& key, Bytes& out) override;
    [[nodiscard]] bool get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                                 Bytes& out) override;
    [[nodiscard]] std::optional<vault::ObjectInfo> stat(const std::string& key) override;
    void list(const std::string& prefix, const std::string& start_after,
              const std::function<bool(const vault::ObjectInfo&)>& visit) override;
    void remove(std::span<const std::string> keys) override;

    /// Each number is right; together they are a snapshot only while no call is running.
    [[nodiscard]] StorageCounts counts() const;

private:
    using Counter = std::atomic<std::uint64_t>;

    template <class Call>
    auto counted(Counter& counter, const Call& call);

    Counter puts_{0}, gets_{0}, get_ranges_{0}, stats_{0}, lists_{0}, removes_{0};
    Counter failures_{0}, created_{0}, listed_{0}, removed_{0}, put_size_{0}, get_size_{0};
};

}  // namespace walden::storage
