#include "backup/changed_files.h"

#include "base/bytes.h"
#include "base/hash.h"

#include <algorithm>
#include <utility>

namespace walden::backup {

namespace {

/// Pages that are looked at together: one read of a disk.
constexpr std::uint32_t sample_pages = 128;

/// From 0 to 1, the same for the same place and seed.
double chance_of(const pg::RelationFile& file, std::uint32_t page, std::uint64_t seed) {
    Bytes place;
    ByteWriter writer(place);
    writer.write(seed);
    for (const std::uint32_t number : {file.tablespace, file.database, file.relation,
                                       static_cast<std::uint32_t>(file.fork), file.segment, page})
        writer.write(number);
    return static_cast<double>(xxh3_64(place) >> 11) * 0x1p-53;
}

}  // namespace

ChangedFiles::ChangedFiles(wal::ChangedBlocks blocks, std::vector<vault::DamagedPage> damaged,
                           double sample, std::uint64_t seed)
    : blocks_(std::make_shared<const wal::ChangedBlocks>(std::move(blocks))),
      damaged_(std::move(damaged)),
      sample_(sample),
      seed_(seed) {}

std::optional<WorkItem::Pages> ChangedFiles::pages_of(const std::string& path,
                                                      const pg::RelationFile& file,
                                                      std::uint32_t page_count) const {
    if (!is_known()) return std::nullopt;
    const wal::RelationFork fork{.tablespace = file.tablespace,
                                 .database = file.database,
                                 .relation = file.relation,
                                 .fork = static_cast<std::uint8_t>(file.fork)};
    auto named = blocks_->blocks_of(fork, file.segment);
    if (!named) return std::nullopt;
    for (const vault::DamagedPage& page : damaged_)
        if (page.path == path) named->push_back(page.block);
    std::sort(named->begin(), named->end());
    WorkItem::Pages pages{.named = *std::move(named), .sampled = {}};
    for (std::uint32_t group = 0; group < page_count; group += sample_pages) {
        if (chance_of(file, group, seed_) >= sample_) continue;
        for (std::uint32_t page = group; page < std::min(group + sample_pages, page_count); ++page)
            if (!std::binary_search(pages.named.begin(), pages.named.end(), page))
                pages.sampled.push_back(page);
    }
    return pages;
}

}  // namespace walden::backup
