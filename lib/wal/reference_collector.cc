#include "wal/reference_collector.h"

#include <algorithm>
#include <bit>

namespace walden::wal {

namespace {

constexpr std::size_t first_slot_count = std::size_t{1} << 12;
constexpr std::size_t forks_max = std::size_t{1} << 15;
constexpr std::size_t wholes_max = std::size_t{1} << 14;
/// Of the main data of one record: tens of thousands of dropped relations.
constexpr std::size_t main_data_max = std::size_t{1} << 20;

/// xl_xact_xinfo, src/include/access/xact.h.
enum TransactionPart : std::uint32_t {
    has_database = 1,
    has_subtransactions = 2,
    has_relations = 4,
};

constexpr std::uint8_t transaction_has_info = 0x80;

std::size_t hash_of(const RelationFork& relation) {
    const std::uint64_t high = std::uint64_t{relation.tablespace} << 32 | relation.database;
    const std::uint64_t low = std::uint64_t{relation.relation} << 8 | relation.fork;
    std::uint64_t hash = (high * 0x9E3779B97F4A7C15) ^ low;
    hash *= 0xD6E8FEB86659FD93;
    return static_cast<std::size_t>(hash ^ hash >> 32);
}

RelationFork read_relation(ByteReader& data) {
    RelationFork relation;
    relation.tablespace = data.read<std::uint32_t>();
    relation.database = data.read<std::uint32_t>();
    relation.relation = data.read<std::uint32_t>();
    return relation;
}

template <class T>
void sort_unique(std::vector<T>& values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

BlockSet::BlockSet() {
    rebuild(first_slot_count, {});
}

std::vector<std::uint64_t> BlockSet::keys() const {
    std::vector<std::uint64_t> keys;
    keys.reserve(size_);
    for (const std::uint64_t slot : slots_)
        if (slot != empty_slot) keys.push_back(slot);
    return keys;
}

void BlockSet::rebuild(std::size_t slot_count, const std::vector<std::uint64_t>& keys) {
    slots_.assign(slot_count, empty_slot);
    hash_shift_ = 64U - static_cast<unsigned>(std::countr_zero(slot_count));
    size_ = keys.size();
    for (const std::uint64_t key : keys) {
        std::size_t at = place_of(key);
        while (slots_[at] != empty_slot) at = (at + 1) & (slot_count - 1);
        slots_[at] = key;
    }
}

void BlockSet::grow() {
    std::vector<std::uint64_t> all = keys();
    if (size_ < size_max) {
        rebuild(slots_.size() * 2, all);
        return;
    }
    // Forks are fewer than half of what may be held, so this ends before the shift is 32.
    while (all.size() > size_max / 2 && shift_ < 31) {
        ++shift_;
        for (std::uint64_t& key : all) {
            const std::uint64_t fork = key >> 32 << 32;
            key = fork | (key & 0xFFFFFFFF) >> 1;
        }
        sort_unique(all);
    }
    rebuild(slots_.size(), all);
}

ReferenceCollector::ReferenceCollector(const WalVersion& version) : version_(version), forks_(1) {
    forks_[0].relation.fork = 0xFF;  // no record has it
    index_forks(256);
}

bool ReferenceCollector::add(const RecordHeader& header, std::span<const ByteView> pieces,
                             PartsState state, const RecordParts& parts) {
    for (const BlockPart& block : parts.seen_blocks()) add_block(block);
    if (state == PartsState::whole) {
        if (header.resource_manager > tablespace_manager) return true;
        return interpret(header, pieces, parts);
    }
    if (state == PartsState::cut) return false;
    // A record of which the blocks are not understood may change anything.
    notes_ |= note_everything;
    return true;
}

std::uint32_t ReferenceCollector::find_or_add(const RelationFork& relation) {
    const std::size_t mask = fork_slots_.size() - 1;
    std::size_t at = hash_of(relation) & mask;
    while (fork_slots_[at] != 0) {
        if (forks_[fork_slots_[at]].relation == relation) return fork_slots_[at];
        at = (at + 1) & mask;
    }
    if (forks_.size() > forks_max) {
        // One of the others stands for all further ones of its database.
        databases_.push_back({relation.tablespace, relation.database});
        if (databases_.size() > wholes_max) sort_unique(databases_);
        if (databases_.size() > wholes_max) {
            notes_ |= note_everything;
            databases_.clear();
        }
        return 0;
    }
    const auto index = static_cast<std::uint32_t>(forks_.size());
    forks_.push_back({.relation = relation});
    fork_slots_[at] = index;
    if (forks_.size() > fork_slots_.size() / 2) index_forks(fork_slots_.size() * 2);
    return index;
}

void ReferenceCollector::index_forks(std::size_t slot_count) {
    fork_slots_.assign(slot_count, 0);
    for (std::uint32_t index = 1; index < forks_.size(); ++index) {
        std::size_t at = hash_of(forks_[index].relation) & (slot_count - 1);
        while (fork_slots_[at] != 0) at = (at + 1) & (slot_count - 1);
        fork_slots_[at] = index;
    }
}

void ReferenceCollector::limit(const RelationFork& relation, std::uint32_t block) {
    Fork& fork = forks_[index_of(relation)];
    fork.limit = std::min(fork.limit, block);
}

bool ReferenceCollector::interpret(const RecordHeader& header, std::span<const ByteView> pieces,
                                   const RecordParts& parts) {
    const ByteView main_data =
        bytes_of_pieces(pieces, parts.main_offset,
                        std::min<std::size_t>(parts.main_length, main_data_max), scratch_);
    ByteReader data(main_data);
    const auto kind = static_cast<std::uint8_t>(header.info & 0xF0);
    switch (header.resource_manager) {
        case xlog_manager: interpret_xlog(kind, data); break;
        case transaction_manager: interpret_transaction(header.info, data); break;
        case storage_manager: interpret_storage(kind, data); break;
        case database_manager: interpret_database(kind, data); break;
        case tablespace_manager: {
            const auto tablespace = data.read<std::uint32_t>();
            if (data.ok()) tablespaces_.push_back(tablespace);
            if (tablespaces_.size() > wholes_max) sort_unique(tablespaces_);
            break;
        }
        default: break;
    }
    if (data.ok()) return true;
    if (main_data.size() < parts.main_length && parts.main_length <= main_data_max) return false;
    notes_ |= note_everything;
    return true;
}

void ReferenceCollector::interpret_xlog(std::uint8_t kind, ByteReader& data) {
    switch (static_cast<XlogKind>(kind)) {
        case XlogKind::checkpoint_shutdown:
        case XlogKind::checkpoint_online: {
            // CheckPoint, src/include/catalog/pg_control.h.
            data.read<std::uint64_t>();  // redo
            const auto timeline = data.read<std::uint32_t>();
            const auto previous_timeline = data.read<std::uint32_t>();
            const auto full_page_writes = data.read<std::uint8_t>();
            data.read_array<3>();
            const auto level = data.read<std::uint32_t>();
            if (!data.ok()) return;
            if (timeline != previous_timeline) notes_ |= note_timeline;
            if (full_page_writes == 0) notes_ |= note_full_pages_off;
            if (version_.has_level_in_checkpoint && level == 0) notes_ |= note_minimal_level;
            return;
        }
        case XlogKind::end_of_recovery: notes_ |= note_timeline; return;
        case XlogKind::parameter_change:
            // xl_parameter_change: five numbers before wal_level.
            data.read_array<20>();
            if (data.read<std::uint32_t>() == 0 && data.ok()) notes_ |= note_minimal_level;
            notes_ |= note_parameters;
            return;
        case XlogKind::full_page_writes_change:
            if (data.read<std::uint8_t>() == 0 && data.ok()) notes_ |= note_full_pages_off;
            return;
        case XlogKind::switch_segment:
        case XlogKind::overwrite_continuation: return;
    }
}

/// Relation files that go away with the end of a transaction (xl_xact_commit, xl_xact_abort).
void ReferenceCollector::interpret_transaction(std::uint8_t info, ByteReader& data) {
    switch (static_cast<TransactionKind>(info & 0x70)) {
        case TransactionKind::commit:
        case TransactionKind::abort:
        case TransactionKind::commit_prepared:
        case TransactionKind::abort_prepared: break;
        default: return;
    }
    if ((info & transaction_has_info) == 0) return;
    data.read<std::uint64_t>();  // time
    const auto parts = data.read<std::uint32_t>();
    if ((parts & has_relations) == 0) return;
    if ((parts & has_database) != 0) data.read<std::uint64_t>();
    if ((parts & has_subtransactions) != 0)
        data.read_bytes(std::size_t{data.read<std::uint32_t>()} * sizeof(std::uint32_t));
    for (auto count = data.read<std::uint32_t>(); count > 0 && data.ok(); --count) {
        const RelationFork relation = read_relation(data);
        if (data.ok()) limit(relation, 0);
    }
}

void ReferenceCollector::interpret_storage(std::uint8_t kind, ByteReader& data) {
    if (kind == static_cast<std::uint8_t>(StorageKind::create)) {
        RelationFork relation = read_relation(data);
        const auto fork = data.read<std::uint32_t>();
        if (!data.ok() || fork > fork_max) return;
        relation.fork = static_cast<std::uint8_t>(fork);
        limit(relation, 0);
    } else if (kind == static_cast<std::uint8_t>(StorageKind::truncate)) {
        const auto block = data.read<std::uint32_t>();
        const RelationFork relation = read_relation(data);
        if (data.ok()) limit(relation, block);
    }
}

/// All kinds name a database and one tablespace, or several when it is dropped: CREATE DATABASE, by
/// copying files or by logging them, and both ends of ALTER DATABASE SET TABLESPACE.
void ReferenceCollector::interpret_database(std::uint8_t kind, ByteReader& data) {
    const auto database = data.read<std::uint32_t>();
    // xl_dbase_drop_rec, since 13.
    std::uint32_t count = 1;
    if (kind == version_.drops_database) count = data.read<std::uint32_t>();
    for (; count > 0 && data.ok(); --count) {
        const auto tablespace = data.read<std::uint32_t>();
        if (data.ok()) databases_.push_back({tablespace, database});
    }
}

bool ReferenceCollector::is_covered(const RelationFork& relation) const {
    return std::binary_search(tablespaces_.begin(), tablespaces_.end(), relation.tablespace) ||
           std::binary_search(databases_.begin(), databases_.end(),
                              DatabaseFiles{relation.tablespace, relation.database});
}

BlockReferences ReferenceCollector::take() {
    BlockReferences list;
    list.notes = notes_;
    list.shift = blocks_.shift();
    sort_unique(tablespaces_);
    sort_unique(databases_);

    std::vector<std::uint32_t> order;
    for (std::uint32_t index = 1; index < forks_.size(); ++index)
        if (!is_covered(forks_[index].relation)) order.push_back(index);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return forks_[a].relation < forks_[b].relation;
    });
    std::vector<std::uint32_t> rank(forks_.size(), no_limit);
    for (std::uint32_t i = 0; i < order.size(); ++i) {
        rank[order[i]] = i;
        const Fork& fork = forks_[order[i]];
        list.forks.push_back({.relation = fork.relation, .limit = fork.limit, .runs = {}});
    }

    std::vector<std::uint64_t> keys = blocks_.keys();
    for (std::uint64_t& key : keys) key = std::uint64_t{rank[key >> 32]} << 32 | (key & 0xFFFFFFFF);
    std::sort(keys.begin(), keys.end());
    for (const std::uint64_t key : keys) {
        if (key >> 32 == no_limit) break;  // of a whole database
        ForkReferences& fork = list.forks[key >> 32];
        const auto first = static_cast<std::uint32_t>((key & 0xFFFFFFFF) << list.shift);
        if (first >= fork.limit) continue;
        append_run(fork.runs, first, list.shift);
    }
    list.tablespaces = std::move(tablespaces_);
    list.databases = std::move(databases_);
    return list;
}

}  // namespace walden::wal
