#include "wal/changed_blocks.h"

#include "base/format.h"

#include <algorithm>
#include <bit>

namespace walden::wal {

namespace {

constexpr std::uint32_t word_bits = 64;
/// Of a node in a map with what it holds.
constexpr std::size_t node_size = 128;

template <class T>
void insert_sorted(std::vector<T>& values, const T& value) {
    const auto place = std::lower_bound(values.begin(), values.end(), value);
    if (place == values.end() || *place != value) values.insert(place, value);
}

/// Sets the bits from `first` to before `end`; the bitmap is long enough.
void set_bits(std::vector<std::uint64_t>& words, std::uint32_t first, std::uint32_t end) {
    while (first < end) {
        const std::uint32_t bit = first % word_bits;
        const std::uint32_t count = std::min(word_bits - bit, end - first);
        const std::uint64_t ones =
            count == word_bits ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
        words[first / word_bits] |= ones << bit;
        first += count;
    }
}

}  // namespace

void ChangedBlocks::add(const BlockReferences& list) {
    follow(list);
    notes_ |= list.notes;
    if ((list.notes & note_minimal_level) != 0)
        note_problem(
            format("WAL behind {} was written with wal_level = minimal", to_string(list.begin)));
    if ((list.notes & note_everything) != 0)
        note_problem(
            format("records behind {} say too much, or are not understood", to_string(list.begin)));
    for (const std::uint32_t tablespace : list.tablespaces) insert_sorted(tablespaces_, tablespace);
    for (const DatabaseFiles& database : list.databases) insert_sorted(databases_, database);
    for (const ForkReferences& fork : list.forks) {
        add_fork(fork);
        if (memory_used_ > settings_.memory_max) widen();
    }
}

/// Whether the list goes on where the others ended.
void ChangedBlocks::follow(const BlockReferences& list) {
    if (!begin_.is_valid()) {
        begin_ = list.begin;
        end_ = list.end;
    } else if (list.begin > end_) {
        note_problem(
            format("WAL from {} to {} is missing", to_string(end_), to_string(list.begin)));
    } else if (list.begin < begin_) {
        note_problem(
            format("WAL of {} comes after that of {}", to_string(list.begin), to_string(begin_)));
    }
    if (open_at_ && list.begin == *open_at_) {
        if (list.carried == Carried::unknown)
            note_problem(format("the blocks of the record that reaches beyond {} are not known",
                                to_string(list.begin)));
        open_at_.reset();
    }
    if (list.is_open) open_at_ = list.end;
    end_ = std::max(end_, list.end);
}

void ChangedBlocks::add_fork(const ForkReferences& references) {
    const auto [place, is_new] = forks_.try_emplace(references.relation);
    Fork& fork = place->second;
    if (is_new) {
        fork.memory = node_size;
        memory_used_ += node_size;
    }
    fork.limit = std::min(fork.limit, references.limit);
    for (const BlockRun& run : references.runs) add_run(fork, run);
}

void ChangedBlocks::add_run(Fork& fork, BlockRun run) {
    const std::size_t before = fork.memory;
    const std::uint32_t end = run.first + run.count;
    while (run.first < std::min(end, fork.limit)) {
        const std::uint32_t number = run.first / settings_.pages_per_file;
        const std::uint32_t first = run.first % settings_.pages_per_file;
        const std::uint32_t count = std::min(end - run.first, settings_.pages_per_file - first);
        const auto [place, is_new] = fork.files.try_emplace(number);
        Bitmap& words = place->second;
        if (is_new) fork.memory += node_size;
        const std::size_t needed = (std::size_t{first} + count + word_bits - 1) / word_bits;
        if (needed > words.size()) {
            fork.memory += (needed - words.size()) * sizeof(std::uint64_t);
            words.resize(needed);
        }
        set_bits(words, first, first + count);
        run.first += count;
        if (fork.memory > settings_.memory_max) {
            // One relation is all that there is room for.
            fork.files.clear();
            fork.limit = 0;
            fork.memory = node_size;
        }
    }
    memory_used_ = memory_used_ - before + fork.memory;
}

/// Frees half of the memory: the relations that use most of it count as changed altogether.
void ChangedBlocks::widen() {
    std::vector<std::pair<std::size_t, RelationFork>> sizes;
    for (const auto& [relation, fork] : forks_) sizes.emplace_back(fork.memory, relation);
    std::sort(sizes.rbegin(), sizes.rend());
    for (const auto& [size, relation] : sizes) {
        if (memory_used_ <= settings_.memory_max / 2 || size == node_size) break;
        Fork& fork = forks_[relation];
        fork.files.clear();
        fork.limit = 0;
        memory_used_ -= fork.memory - node_size;
        fork.memory = node_size;
    }
    if (memory_used_ > settings_.memory_max) {
        note_problem("more relations have changed than there is memory for");
        forks_.clear();
        memory_used_ = 0;
    }
}

bool ChangedBlocks::is_covered(const RelationFork& relation) const {
    return !problem_.empty() || relation.fork != main_fork ||
           std::binary_search(tablespaces_.begin(), tablespaces_.end(), relation.tablespace) ||
           std::binary_search(databases_.begin(), databases_.end(),
                              DatabaseFiles{relation.tablespace, relation.database});
}

const ChangedBlocks::Fork* ChangedBlocks::find(const RelationFork& relation) const {
    const auto found = forks_.find(relation);
    return found == forks_.end() ? nullptr : &found->second;
}

bool ChangedBlocks::is_whole(const RelationFork& relation, std::uint32_t file) const {
    if (is_covered(relation)) return true;
    const Fork* const fork = find(relation);
    return fork != nullptr && fork->limit <= std::uint64_t{file} * settings_.pages_per_file;
}

std::optional<std::vector<std::uint32_t>> ChangedBlocks::blocks_of(const RelationFork& relation,
                                                                   std::uint32_t file) const {
    if (is_whole(relation, file)) return std::nullopt;
    std::vector<std::uint32_t> blocks;
    const Fork* const fork = find(relation);
    if (fork == nullptr) return blocks;
    const std::uint64_t first = std::uint64_t{file} * settings_.pages_per_file;
    const auto limit = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(fork->limit - first, settings_.pages_per_file));
    if (const auto found = fork->files.find(file); found != fork->files.end()) {
        for (std::uint32_t i = 0; i < found->second.size(); ++i) {
            std::uint64_t word = found->second[i];
            for (; word != 0; word &= word - 1) {
                const std::uint32_t block =
                    i * word_bits + static_cast<std::uint32_t>(std::countr_zero(word));
                if (block < limit) blocks.push_back(block);
            }
        }
    }
    if (fork->limit != no_limit)
        for (std::uint32_t block = limit; block < settings_.pages_per_file; ++block)
            blocks.push_back(block);
    return blocks;
}

bool ChangedBlocks::contains(const RelationFork& relation, std::uint32_t block) const {
    if (is_covered(relation)) return true;
    const Fork* const fork = find(relation);
    if (fork == nullptr) return false;
    if (block >= fork->limit) return true;
    const auto found = fork->files.find(block / settings_.pages_per_file);
    if (found == fork->files.end()) return false;
    const std::uint32_t bit = block % settings_.pages_per_file;
    return bit / word_bits < found->second.size() &&
           (found->second[bit / word_bits] >> bit % word_bits & 1) != 0;
}

void ChangedBlocks::note_problem(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
}

}  // namespace walden::wal
