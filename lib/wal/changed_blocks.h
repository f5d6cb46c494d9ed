// What the lists of consecutive segments say together: which pages of which relation files may
// have changed.
#pragma once

#include "wal/block_references.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace walden::wal {

/// A union of lists. What it says may be more than what changed, and is less only where problem()
/// says why. Memory: one bit for each page up to the highest that changed of each file, and no more
/// than what the constructor is given: beyond that, whole relations count as changed. One thread at
/// a time.
class ChangedBlocks {
public:
    struct Settings {
        std::uint32_t pages_per_file = 131'072;  ///< of a relation file of 1 GiB (RELSEG_SIZE)
        std::size_t memory_max = std::size_t{64} << 20;
    };

    ChangedBlocks() : ChangedBlocks(Settings()) {}

    explicit ChangedBlocks(Settings settings) : settings_(settings) {}

    /// Adds the list of the next segment of a line of descent. At a switch of timelines, the list
    /// of the half segment that was left may be added before that of the new timeline's.
    void add(const BlockReferences& list);

    /// Why the lists do not tell everything that changed from begin() to end(), for a message: a
    /// gap between them, a record in two segments that neither could read, WAL that was written
    /// with wal_level = minimal. Empty if they do. Then everything must be taken as changed.
    [[nodiscard]] const std::string& problem() const { return problem_; }

    /// The notes of all lists together (ReferenceNote).
    [[nodiscard]] std::uint8_t notes() const { return notes_; }

    /// The WAL that the lists are of; invalid without any.
    [[nodiscard]] Lsn begin() const { return begin_; }

    [[nodiscard]] Lsn end() const { return end_; }

    /// Whether all pages of file number `file` of the fork ("16384.3" is number 3) must be taken as
    /// changed: it was created, dropped or cut, or the fork is not the main one.
    [[nodiscard]] bool is_whole(const RelationFork& relation, std::uint32_t file) const;

    /// The pages of the file that may have changed, ascending, counted from the file's first one.
    /// Some may lie behind its end. nullopt if is_whole().
    [[nodiscard]] std::optional<std::vector<std::uint32_t>> blocks_of(const RelationFork& relation,
                                                                      std::uint32_t file) const;

    /// Whether block `block` of the fork, counted over all its files, is named.
    [[nodiscard]] bool contains(const RelationFork& relation, std::uint32_t block) const;

    /// Bytes, about.
    [[nodiscard]] std::size_t memory_used() const { return memory_used_; }

private:
    /// A bit for each page of a file.
    using Bitmap = std::vector<std::uint64_t>;

    struct Fork {
        std::uint32_t limit = no_limit;
        std::map<std::uint32_t, Bitmap> files;
        std::size_t memory = 0;
    };

    void follow(const BlockReferences& list);
    void add_fork(const ForkReferences& references);
    void add_run(Fork& fork, BlockRun run);
    void widen();
    [[nodiscard]] bool is_covered(const RelationFork& relation) const;
    [[nodiscard]] const Fork* find(const RelationFork& relation) const;
    void note_problem(std::string problem);

    Settings settings_;
    Lsn begin_;
    Lsn end_;
    std::optional<Lsn> open_at_;  ///< where an open list ends that none has completed
    std::uint8_t notes_ = 0;
    std::string problem_;
    std::vector<std::uint32_t> tablespaces_;
    std::vector<DatabaseFiles> databases_;
    std::map<RelationFork, Fork> forks_;
    std::size_t memory_used_ = 0;
};

}  // namespace walden::wal
