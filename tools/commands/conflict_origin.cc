#include "tools/commands/conflict_origin.h"

#include "base/error.h"
#include "wal/file_name.h"

#include <optional>

namespace walden::commands {

namespace {

constexpr std::size_t read_count_max = 100;

std::optional<vault::InstanceId> writer_of(const vault::ClusterVault& vault,
                                           const std::string& key) {
    try {
        const auto stored = vault.entries().find(key);
        if (stored) return stored->entry.writer.instance;
    } catch (const Error& error) {
        if (!is_damage(error)) throw;
    }
    return std::nullopt;
}

/// Where the file lies whose name was taken.
std::string key_of(const vault::ClusterLayout& layout, const std::string& file_name) {
    return file_name.ends_with(".history") ? layout.history_key(file_name)
                                           : layout.segment_key(file_name);
}

ConflictOrigin find_origin(const vault::ClusterVault& vault, const std::string& conflict) {
    const vault::ClusterLayout& layout = vault.layout();
    const std::string file_name = conflict.substr(0, conflict.find_last_of('.'));
    const auto late = writer_of(vault, layout.conflict_prefix() + conflict);
    const auto first = writer_of(vault, key_of(layout, file_name));
    return late && first && *late == *first ? ConflictOrigin::one_instance
                                            : ConflictOrigin::two_instances;
}

}  // namespace

std::vector<ConflictOrigin> find_origins(const vault::ClusterVault& vault,
                                         const std::vector<std::string>& conflicts) {
    std::vector<ConflictOrigin> origins;
    for (const std::string& conflict : conflicts)
        origins.push_back(origins.size() < read_count_max ? find_origin(vault, conflict)
                                                          : origins.back());
    return origins;
}

}  // namespace walden::commands
