#include "backup/page_images.h"

#include "pg/page_check.h"
#include "wal/record_parts.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace walden::backup {

namespace {

using Block = std::pair<wal::RelationFork, std::uint32_t>;

Block block_of(const SuspectPage& page, std::uint32_t pages_per_file) {
    return {{.tablespace = page.relation.tablespace,
             .database = page.relation.database,
             .relation = page.relation.relation,
             .fork = static_cast<std::uint8_t>(page.relation.fork)},
            pg::block_of(page.relation, pages_per_file, page.page)};
}

const wal::WalVersion* version_of(ByteView segment) {
    return wal::find_wal_version(load_le<std::uint16_t>(segment.data()));
}

/// Takes out of `wanted` what the records of a segment have an image of.
class ImageSearch {
public:
    ImageSearch(std::set<Block>& wanted, wal::Lsn redo, wal::Lsn stop)
        : wanted_(wanted), redo_(redo), stop_(stop) {}

    void look(const wal::RecordView& record, const wal::WalVersion& version) {
        if (record.lsn < redo_ || record.lsn >= stop_) return;
        // Of a record that began in the segment before, the head is kept.
        const ByteView begin =
            record.missing > 0
                ? record.head
                : wal::bytes_of_pieces(record.pieces, 0, wal::record_parts_size_max, scratch_);
        wal::RecordParts parts;
        static_cast<void>(read_record_parts(begin, record.header.total_length, version, parts));
        for (const wal::BlockPart& block : parts.seen_blocks())
            if (block.has_image) wanted_.erase({block.relation, block.number});
    }

private:
    std::set<Block>& wanted_;
    wal::Lsn redo_;
    wal::Lsn stop_;
    Bytes scratch_;
};

}  // namespace

std::vector<vault::DamagedPage> find_damaged(const WalSource& wal, wal::Lsn redo, wal::Lsn stop,
                                             std::vector<SuspectPage> suspects,
                                             std::uint32_t pages_per_file) {
    std::set<Block> wanted;
    for (const SuspectPage& page : suspects) wanted.insert(block_of(page, pages_per_file));
    ImageSearch search(wanted, redo, stop);
    bool is_complete = true;
    std::optional<wal::SegmentCarry> carry;
    Bytes bytes;
    const wal::SegmentSize size = wal.line().segment_size;
    const std::uint64_t last = wal::segment_number_of({stop.value - 1}, size);
    for (std::uint64_t number = wal::segment_number_of(redo, size);
         number <= last && !wanted.empty(); ++number) {
        if (!wal.read(number, bytes)) {
            is_complete = false;
            carry.reset();
            continue;
        }
        wal::SegmentInput input = wal.input(number, bytes);
        input.carry_in = carry ? &*carry : nullptr;
        const wal::WalVersion* const version = version_of(bytes);
        if (version == nullptr) {
            is_complete = false;
            continue;
        }
        wal::SegmentReport report = read_segment(
            input, [&](const wal::RecordView& record) { search.look(record, *version); });
        carry = std::move(report.carry_out);
    }
    std::vector<vault::DamagedPage> damaged;
    for (SuspectPage& page : suspects)
        if (wanted.contains(block_of(page, pages_per_file)))
            damaged.push_back({.path = std::move(page.path),
                               .block = page.page,
                               .reason = is_complete ? vault::DamageReason::checksum
                                                     : vault::DamageReason::unknown});
    std::sort(damaged.begin(), damaged.end(), [](const auto& a, const auto& b) {
        return std::tie(a.path, a.block) < std::tie(b.path, b.block);
    });
    return damaged;
}

}  // namespace walden::backup
