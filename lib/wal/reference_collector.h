// Gathers a segment's block references from its records (block_references.h), in the pass that
// verifies them: some 15 ns a record.
#pragma once

#include "base/bytes.h"
#include "wal/block_references.h"
#include "wal/page_header.h"
#include "wal/record.h"
#include "wal/record_parts.h"

#include <cstdint>
#include <span>
#include <vector>

namespace walden::wal {

/// A set of blocks of numbered forks. Holds at most `size_max` of them: when there are more, it
/// counts blocks in larger units. At most 2 MiB.
class BlockSet {
public:
    BlockSet();

    void insert(std::uint32_t fork_index, std::uint32_t block) {
        const std::uint64_t key = std::uint64_t{fork_index} << 32 | block >> shift_;
        std::size_t at = place_of(key);
        while (slots_[at] != empty_slot) {
            if (slots_[at] == key) return;
            at = (at + 1) & (slots_.size() - 1);
        }
        slots_[at] = key;
        if (++size_ > slots_.size() / 2) grow();
    }

    /// Fork index in the high 32 bits, unit in the low ones; in no order.
    [[nodiscard]] std::vector<std::uint64_t> keys() const;

    [[nodiscard]] std::uint8_t shift() const { return shift_; }

    static constexpr std::size_t size_max = std::size_t{1} << 17;

private:
    static constexpr std::uint64_t empty_slot = ~std::uint64_t{0};

    [[nodiscard]] std::size_t place_of(std::uint64_t key) const {
        return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15) >> hash_shift_);
    }

    void grow();
    void rebuild(std::size_t slot_count, const std::vector<std::uint64_t>& keys);

    std::vector<std::uint64_t> slots_;
    std::size_t size_ = 0;
    unsigned hash_shift_ = 0;
    std::uint8_t shift_ = 0;
};

/// One thread at a time; about 3 MiB at most.
class ReferenceCollector {
public:
    explicit ReferenceCollector(const WalVersion& version);

    /// Adds what a record changes. `pieces` are its bytes from the first one on; a record that goes
    /// on in the next segment is not whole. False if the list needs more of the record than that.
    bool add(const RecordHeader& header, std::span<const ByteView> pieces, PartsState state,
             const RecordParts& parts);

    /// All that was added, with begin, end, is_open and carried left to the caller.
    [[nodiscard]] BlockReferences take();

private:
    struct Fork {
        RelationFork relation;
        std::uint32_t limit = no_limit;
        std::uint32_t last_block = no_limit;
    };

    void add_block(const BlockPart& block) {
        Fork& fork = forks_[index_of(block.relation)];
        if (fork.last_block == block.number) return;
        fork.last_block = block.number;
        if (block.number != no_limit) blocks_.insert(last_index_, block.number);
    }

    std::uint32_t index_of(const RelationFork& relation) {
        if (forks_[last_index_].relation == relation) return last_index_;
        return last_index_ = find_or_add(relation);
    }

    std::uint32_t find_or_add(const RelationFork& relation);
    void index_forks(std::size_t slot_count);
    void limit(const RelationFork& relation, std::uint32_t block);
    bool interpret(const RecordHeader& header, std::span<const ByteView> pieces,
                   const RecordParts& parts);
    void interpret_xlog(std::uint8_t kind, ByteReader& data);
    void interpret_transaction(std::uint8_t info, ByteReader& data);
    void interpret_storage(std::uint8_t kind, ByteReader& data);
    void interpret_database(std::uint8_t kind, ByteReader& data);
    [[nodiscard]] bool is_covered(const RelationFork& relation) const;

    const WalVersion& version_;
    std::vector<Fork> forks_;  ///< the first is none, so that there is a last one from the start
    std::vector<std::uint32_t> fork_slots_;  ///< hash table of indexes into forks_, 0 empty
    std::uint32_t last_index_ = 0;
    BlockSet blocks_;
    std::vector<std::uint32_t> tablespaces_;
    std::vector<DatabaseFiles> databases_;
    std::uint8_t notes_ = 0;
    Bytes scratch_;
};

}  // namespace walden::wal
