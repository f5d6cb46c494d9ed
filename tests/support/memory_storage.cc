#include "support/memory_storage.h"

#include <algorithm>
#include <vector>

namespace walden::storage {

using vault::ObjectInfo;

namespace {

using Objects = std::map<std::string, Bytes>;

}  // namespace

vault::ObjectStorage::PutOutcome MemoryStorage::put_new(const std::string& key, ByteView body) {
    vault::require_valid_key(key);
    vault::require_valid_size(body.size());
    const bool is_new = objects_.with(
        [&](Objects& objects) { return objects.emplace(key, to_bytes(body)).second; });
    return is_new ? PutOutcome::created : PutOutcome::already_present;
}

bool MemoryStorage::get(const std::string& key, Bytes& out) {
    return get_range(key, 0, object_size_max, out);
}

bool MemoryStorage::get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                              Bytes& out) {
    vault::require_valid_key(key);
    return objects_.with([&](const Objects& objects) {
        const auto found = objects.find(key);
        if (found == objects.end()) return false;
        const ByteView whole = found->second;
        const auto begin = static_cast<std::size_t>(std::min<std::uint64_t>(offset, whole.size()));
        const ByteView part = whole.subspan(begin, std::min(size, whole.size() - begin));
        out.assign(part.begin(), part.end());
        return true;
    });
}

std::optional<ObjectInfo> MemoryStorage::stat(const std::string& key) {
    vault::require_valid_key(key);
    return objects_.with([&](const Objects& objects) -> std::optional<ObjectInfo> {
        const auto found = objects.find(key);
        if (found == objects.end()) return std::nullopt;
        return ObjectInfo{key, found->second.size()};
    });
}

void MemoryStorage::list(const std::string& prefix, const std::string& start_after,
                         const std::function<bool(const ObjectInfo&)>& visit) {
    vault::require_valid_prefix(prefix);
    // A visitor may well call this storage, so it runs on a copy, without the lock.
    std::vector<ObjectInfo> infos;
    objects_.with([&](const Objects& objects) {
        for (auto at = objects.lower_bound(prefix);
             at != objects.end() && at->first.starts_with(prefix); ++at)
            if (at->first > start_after) infos.push_back({at->first, at->second.size()});
    });
    for (const ObjectInfo& info : infos)
        if (!visit(info)) return;
}

void MemoryStorage::remove(std::span<const std::string> keys) {
    for (const std::string& key : keys) vault::require_valid_key(key);
    objects_.with([&](Objects& objects) {
        for (const std::string& key : keys) objects.erase(key);
    });
}

std::string MemoryStorage::describe() const {
    return "memory:";
}

void MemoryStorage::overwrite(const std::string& key, ByteView body) {
    vault::require_valid_key(key);
    objects_.with([&](Objects& objects) { objects[key] = to_bytes(body); });
}

}  // namespace walden::storage
