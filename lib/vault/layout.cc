#include "vault/layout.h"

#include "base/format.h"

#include <algorithm>
#include <cassert>
#include <charconv>

namespace walden::vault {

namespace {

constexpr std::size_t segment_name_size = 24;

}  // namespace

bool is_in_a_cluster(std::string_view key) {
    if (!key.starts_with(clusters_prefix)) return false;
    key.remove_prefix(clusters_prefix.size());
    const std::size_t name_end = key.find('/');
    if (name_end == std::string_view::npos || !is_cluster_name(key.substr(0, name_end)))
        return false;
    key.remove_prefix(name_end + 1);
    const std::size_t digits = key.find('/');
    return digits != std::string_view::npos && digits > 0 &&
           key.find_first_not_of("0123456789") == digits;
}

std::string key_slot_key(const crypto::SlotId& id, std::uint32_t generation) {
    return format("{}{}.{}", key_slot_prefix, to_hex(id), generation);
}

std::optional<KeySlotName> parse_key_slot_key(std::string_view key) {
    constexpr std::size_t id_digits = 32;
    const std::string_view whole = key;
    if (!key.starts_with(key_slot_prefix)) return std::nullopt;
    key.remove_prefix(key_slot_prefix.size());
    if (key.size() < id_digits + 2 || key[id_digits] != '.') return std::nullopt;
    KeySlotName name;
    if (!parse_hex(key.substr(0, id_digits), name.id)) return std::nullopt;
    const std::string_view digits = key.substr(id_digits + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), name.generation);
    if (error != std::errc() || end != digits.data() + digits.size() || name.generation == 0)
        return std::nullopt;
    // Another spelling of the same numbers is another object.
    if (key_slot_key(name.id, name.generation) != whole) return std::nullopt;
    return name;
}

ClusterLayout::ClusterLayout(std::string_view cluster, std::uint64_t system_identifier)
    : prefix_(format("{}{}/{}/", clusters_prefix, cluster, system_identifier)) {}

std::string ClusterLayout::segment_key(std::string_view segment) const {
    assert(segment.size() == segment_name_size);
    return format("{}wal/{}/{}/{}", prefix_, segment.substr(0, 8), segment.substr(8, 8), segment);
}

std::string ClusterLayout::content_key(std::string_view file_name,
                                       const crypto::ContentId& id) const {
    assert(file_name.size() >= 8);
    const std::string_view second =
        file_name.size() >= segment_name_size ? file_name.substr(8, 8) : "other";
    return format("{}content/{}/{}/{}.{}", prefix_, file_name.substr(0, 8), second, file_name,
                  to_string(id));
}

std::string ClusterLayout::content_copy_key(std::string_view content_key, std::uint32_t copy) {
    assert(copy <= content_copy_max);
    return copy == 0 ? std::string(content_key) : format("{}.{}", content_key, copy);
}

std::optional<std::string> ClusterLayout::content_of_copy(std::string_view key) {
    if (key.size() < 2) return std::nullopt;
    const std::string_view content = key.substr(0, key.size() - 2);
    const std::string_view number = key.substr(key.size() - 2);
    const std::size_t dot = content.find_last_of('.');
    if (number[0] != '.' || number[1] < '1' || number[1] > '9' || dot == std::string_view::npos ||
        !crypto::parse_content_id(content.substr(dot + 1)))
        return std::nullopt;
    return std::string(content);
}

std::string ClusterLayout::map_key(const BackupId& id, std::uint32_t number) const {
    assert(number >= 1 && number <= backup_object_max);
    return format("{}{:08}", maps_prefix(id), number);
}

std::string ClusterLayout::pack_key(const BackupId& id, std::uint32_t number) const {
    assert(number >= 1 && number <= backup_object_max);
    return format("{}{:08}", packs_prefix(id), number);
}

std::string ClusterLayout::claim_key(std::string_view timeline, std::uint32_t generation) const {
    return format("{}{}.{}", claims_prefix(), timeline, generation);
}

}  // namespace walden::vault
