#include "catalog/histories.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"

#include <string>

namespace walden::catalog {

std::vector<wal::TimelineId> list_histories(const vault::ClusterVault& vault,
                                            wal::TimelineId above) {
    const vault::ClusterLayout& layout = vault.layout();
    const std::string after = above == 0 ? "" : layout.history_key(wal::history_name(above));
    std::vector<wal::TimelineId> timelines;
    vault.storage().list(layout.history_prefix(), after, [&](const vault::ObjectInfo& object) {
        const auto name = wal::parse_wal_file_name(base_name(object.key));
        if (name && name->kind == wal::WalFileKind::history) timelines.push_back(name->timeline);
        return true;
    });
    return timelines;
}

std::optional<wal::TimelineHistory> read_history(const vault::ClusterVault& vault,
                                                 wal::TimelineId timeline) {
    const std::string key = vault.layout().history_key(wal::history_name(timeline));
    const auto stored = vault.entries().find(key);
    if (!stored) return std::nullopt;
    Bytes bytes;
    vault.contents().read(stored->entry, bytes);
    auto parsed = wal::parse_timeline_history(bytes, timeline);
    if (!parsed.history)
        throw Error(ErrorKind::corrupt,
                    format("timeline history \"{}\" is malformed: {}", key, parsed.reason));
    return std::move(parsed.history);
}

wal::TimelineId newest_timeline(wal::TimelineId from, std::span<const wal::TimelineId> known) {
    wal::TimelineId newest = from;
    for (const wal::TimelineId timeline : known)
        if (timeline > newest && timeline - newest == 1) newest = timeline;
    return newest;
}

}  // namespace walden::catalog
