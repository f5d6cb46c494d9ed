#include "codec/wal/record/template_finder.h"

#include "base/hash.h"
#include "wal/record.h"

#include <algorithm>

namespace walden::codec::wal_codec {

namespace {

constexpr std::size_t table_size_min = 1024;

/// Kind, flags of the first block and the number of its relation's file, mixed to 10 bits. The
/// bytes may lie behind a short record: they are readable, and what they are does not matter.
std::size_t slot_of(const std::byte* record) {
    const auto flags = static_cast<std::uint8_t>(record[25]);
    const std::size_t relation_at = (flags & has_image) != 0 ? 33 : 28;
    const std::uint64_t kind = load_le<std::uint16_t>(record + wal::record_info_offset);
    const std::uint64_t file = load_le<std::uint32_t>(record + relation_at + 8);
    return ((kind << 40 | std::uint64_t{flags} << 32 | file) * 0x9E3779B97F4A7C15ULL) >> 54;
}

std::uint64_t hash_of(const RecordTemplate& made) {
    const auto kind = static_cast<std::uint64_t>(made.info) << 16 |
                      static_cast<std::uint64_t>(made.resource_manager) << 8 |
                      static_cast<std::uint64_t>(made.is_opaque);
    return xxh3_64({made.header.data(), made.header.size()}) ^ kind * 0x9E3779B97F4A7C15ULL;
}

}  // namespace

void TemplateFinder::clear() {
    table_.assign(table_size_min, none);
    hashes_.clear();
    recent_.fill(none);
}

bool TemplateFinder::is_same(const RecordTemplate& known, const RecordTemplate& made) const {
    return known.info == made.info && known.resource_manager == made.resource_manager &&
           known.is_opaque == made.is_opaque && known.header == made.header;
}

std::optional<std::uint32_t> TemplateFinder::find_elsewhere(const std::byte* record,
                                                            std::uint32_t total) {
    std::uint32_t& recent = recent_[slot_of(record)];
    if (recent != none && matches(model_.templates[recent], record, total)) return recent;
    const auto found = find_by_header(record, total);
    if (found) recent = *found;
    return found;
}

std::optional<std::uint32_t> TemplateFinder::find_by_header(const std::byte* record,
                                                            std::uint32_t total) {
    if (read_header_shape({record, total}, *model_.version, shape_)) {
        // The relations are found when it is known that the template is new.
        make_template(record, shape_, {}, candidate_);
    } else {
        const wal::RecordHeader header = wal::load_record_header(record);
        make_opaque_template(header.info, header.resource_manager, candidate_);
    }
    const std::uint64_t hash = hash_of(candidate_);
    for (std::size_t at = hash & (table_.size() - 1); table_[at] != none;
         at = (at + 1) & (table_.size() - 1)) {
        const std::uint32_t index = table_[at];
        if (hashes_[index] == hash && is_same(model_.templates[index], candidate_)) return index;
    }
    if (model_.template_count == templates_max) return std::nullopt;
    RecordTemplate& made = model_.next_template();
    if (!candidate_.is_opaque) {
        std::array<std::uint32_t, blocks_max> relations{};
        model_.find_relations(record, shape_, relations);
        make_template(record, shape_, relations, made);
    } else {
        make_opaque_template(candidate_.info, candidate_.resource_manager, made);
    }
    hashes_.push_back(hash);
    const std::uint32_t index = model_.template_count - 1;
    if (hashes_.size() * 2 > table_.size()) {
        table_.assign(table_.size() * 2, none);
        for (std::uint32_t i = 0; i < index; ++i) insert(hashes_[i], i);
    }
    insert(hash, index);
    return index;
}

void TemplateFinder::insert(std::uint64_t hash, std::uint32_t index) {
    std::size_t at = hash & (table_.size() - 1);
    while (table_[at] != none) at = (at + 1) & (table_.size() - 1);
    table_[at] = index;
}

}  // namespace walden::codec::wal_codec
