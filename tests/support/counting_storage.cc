#include "support/counting_storage.h"

namespace walden::storage {

using vault::ObjectInfo;

template <class Call>
auto CountingStorage::counted(Counter& counter, const Call& call) {
    ++counter;
    try {
        return call();
    } catch (...) {
        ++failures_;
        throw;
    }
}

vault::ObjectStorage::PutOutcome CountingStorage::put_new(const std::string& key, ByteView body) {
    const PutOutcome outcome = counted(puts_, [&] { return inner().put_new(key, body); });
    if (outcome == PutOutcome::created) {
        ++created_;
        put_size_ += body.size();
    }
    return outcome;
}

bool CountingStorage::get(const std::string& key, Bytes& out) {
    const bool is_there = counted(gets_, [&] { return inner().get(key, out); });
    if (is_there) get_size_ += out.size();
    return is_there;
}

bool CountingStorage::get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                                Bytes& out) {
    const bool is_there =
        counted(get_ranges_, [&] { return inner().get_range(key, offset, size, out); });
    if (is_there) get_size_ += out.size();
    return is_there;
}

std::optional<ObjectInfo> CountingStorage::stat(const std::string& key) {
    return counted(stats_, [&] { return inner().stat(key); });
}

void CountingStorage::list(const std::string& prefix, const std::string& start_after,
                           const std::function<bool(const ObjectInfo&)>& visit) {
    counted(lists_, [&] {
        inner().list(prefix, start_after, [&](const ObjectInfo& info) {
            ++listed_;
            return visit(info);
        });
    });
}

void CountingStorage::remove(std::span<const std::string> keys) {
    counted(removes_, [&] { inner().remove(keys); });
    removed_ += keys.size();
}

StorageCounts CountingStorage::counts() const {
    StorageCounts counts;
    counts.put_count = puts_;
    counts.get_count = gets_;
    counts.get_range_count = get_ranges_;
    counts.stat_count = stats_;
    counts.list_count = lists_;
    counts.remove_count = removes_;
    counts.failure_count = failures_;
    counts.created_count = created_;
    counts.listed_count = listed_;
    counts.removed_count = removed_;
    counts.put_size = put_size_;
    counts.get_size = get_size_;
    return counts;
}

}  // namespace walden::storage
