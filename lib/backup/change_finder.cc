#include "backup/change_finder.h"

#include "base/error.h"
#include "base/format.h"
#include "wal/segment_examiner.h"

#include <algorithm>

namespace walden::backup {

namespace {

/// The lists of consecutive segments.
class Finder {
public:
    explicit Finder(const WalSource& wal) : wal_(wal) {}

    /// What the archiver wrote beside the segment, else what its WAL says; nullopt if the segment
    /// cannot be had.
    std::optional<wal::BlockReferences> list_of(std::uint64_t number) {
        if (auto stored = stored_list_of(number)) {
            bytes_.clear();
            return stored;
        }
        return read_list_of(number);
    }

private:
    [[nodiscard]] std::optional<wal::BlockReferences> stored_list_of(std::uint64_t number) const {
        try {
            const auto stored = wal_.find_entry(number);
            if (!stored || stored->entry.block_references.empty()) return std::nullopt;
            return wal::decode_block_references(stored->entry.block_references);
        } catch (const Error& error) {
            // A damaged list is as good as none: the WAL is asked.
            if (!is_damage(error)) throw;
            return std::nullopt;
        }
    }

    std::optional<wal::BlockReferences> read_list_of(std::uint64_t number) {
        Bytes previous = std::exchange(bytes_, Bytes());
        if (previous.empty() && number > 0 && !wal_.read(number - 1, previous)) previous.clear();
        if (!wal_.read(number, bytes_)) return std::nullopt;
        const std::size_t size = std::min(previous.size(), wal::previous_end_size);
        return collect_block_references(wal_.input(number, bytes_), ByteView(previous).last(size));
    }

    const WalSource& wal_;
    Bytes bytes_;  ///< of the segment that was read last
};

}  // namespace

FoundChanges find_changes(const WalSource& wal, wal::Lsn begin, wal::Lsn end,
                          std::uint32_t pages_per_file) {
    Finder finder(wal);
    wal::ChangedBlocks blocks({.pages_per_file = pages_per_file});
    const wal::SegmentSize size = wal.line().segment_size;
    const std::uint64_t last = wal::segment_number_of(end, size);
    for (std::uint64_t number = wal::segment_number_of(begin, size); number <= last; ++number) {
        const auto list = finder.list_of(number);
        if (!list)
            return {.blocks = std::nullopt,
                    .problem = format("segment {} cannot be looked into", wal.file_name(number))};
        blocks.add(*list);
        if (!blocks.problem().empty()) return {.blocks = std::nullopt, .problem = blocks.problem()};
    }
    if (blocks.begin() > begin || blocks.end() < end)
        return {
            .blocks = std::nullopt,
            .problem = format("the WAL of {} to {} is known from {} to {} only", to_string(begin),
                              to_string(end), to_string(blocks.begin()), to_string(blocks.end()))};
    return {.blocks = std::move(blocks), .problem = ""};
}

}  // namespace walden::backup
