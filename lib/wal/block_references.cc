#include "wal/block_references.h"

#include "base/error.h"
#include "base/format.h"
#include "base/leb128.h"

#include <algorithm>
#include <limits>

namespace walden::wal {

namespace {

constexpr std::uint8_t list_version = 1;
constexpr std::uint8_t shift_max = 32;
constexpr std::uint8_t known_notes = 31;
constexpr std::uint8_t whole_database = 1;
constexpr std::uint8_t has_limit = 0x80;
/// Blocks are numbered below this; a run may end here.
constexpr std::uint64_t block_end = std::uint64_t{1} << 32;

[[noreturn]] void corrupt(std::string_view what) {
    throw Error(ErrorKind::corrupt, format("list of block references is malformed: {}", what));
}

DatabaseFiles database_of(const RelationFork& relation) {
    return {relation.tablespace, relation.database};
}

/// A run whose end is 2^32 cannot say its count in units of one block; it is one block shorter, and
/// that block does not exist.
std::uint32_t to_count(std::uint64_t first, std::uint64_t end) {
    return static_cast<std::uint32_t>(std::min(end, block_end - 1) - first);
}

std::uint64_t units_end(const BlockRun& run, std::uint8_t shift) {
    const std::uint64_t unit = std::uint64_t{1} << shift;
    return (std::uint64_t{run.first} + run.count + unit - 1) >> shift;
}

void write_runs(Bytes& out, const ForkReferences& fork, std::uint8_t shift) {
    std::size_t items = fork.runs.size();
    for (const BlockRun& run : fork.runs)
        if (units_end(run, shift) - (std::uint64_t{run.first} >> shift) > 1) ++items;
    append_leb128(out, items);
    std::uint64_t next = 0;
    for (const BlockRun& run : fork.runs) {
        const std::uint64_t first = std::uint64_t{run.first} >> shift;
        const std::uint64_t end = units_end(run, shift);
        // Runs do not touch, so only the first may begin where the one before ended: at 0.
        append_leb128(out, next == 0 ? first + 1 : first - next);
        if (end - first > 1) {
            append_leb128(out, 0);
            append_leb128(out, end - first - 1);
        }
        next = end;
    }
}

void write_forks(Bytes& out, std::span<const ForkReferences> forks, std::uint8_t shift) {
    ByteWriter writer(out);
    append_leb128(out, forks.size());
    std::uint32_t previous = 0;
    for (const ForkReferences& fork : forks) {
        append_leb128(out, fork.relation.relation - previous);
        previous = fork.relation.relation;
        const unsigned flags = fork.relation.fork | (fork.limit != no_limit ? has_limit : 0U);
        writer.write(static_cast<std::uint8_t>(flags));
        if (fork.limit != no_limit) append_leb128(out, fork.limit);
        write_runs(out, fork, shift);
    }
}

/// Whole databases and those with forks, merged in order.
void write_databases(Bytes& out, const BlockReferences& list) {
    struct Group {
        DatabaseFiles files;
        bool is_whole = false;
        std::span<const ForkReferences> forks;
    };

    std::vector<Group> groups;
    for (const DatabaseFiles& files : list.databases) groups.push_back({files, true, {}});
    const std::span<const ForkReferences> forks(list.forks);
    for (std::size_t i = 0; i < forks.size();) {
        const DatabaseFiles files = database_of(forks[i].relation);
        std::size_t end = i;
        while (end < forks.size() && database_of(forks[end].relation) == files) ++end;
        groups.push_back({files, false, forks.subspan(i, end - i)});
        i = end;
    }
    std::sort(groups.begin(), groups.end(),
              [](const Group& a, const Group& b) { return a.files < b.files; });
    append_leb128(out, groups.size());
    for (const Group& group : groups) {
        append_leb128(out, group.files.tablespace);
        append_leb128(out, group.files.database);
        ByteWriter(out).write(static_cast<std::uint8_t>(group.is_whole ? whole_database : 0));
        if (!group.is_whole) write_forks(out, group.forks, list.shift);
    }
}

Bytes encode_as_it_is(const BlockReferences& list) {
    Bytes out;
    ByteWriter writer(out);
    writer.write(list_version);
    writer.write(list.notes);
    writer.write(static_cast<std::uint8_t>((list.is_open ? 1 : 0) |
                                           static_cast<unsigned>(list.carried) << 1));
    writer.write(list.shift);
    writer.write(list.begin.value);
    writer.write(list.end.value);
    append_leb128(out, list.tablespaces.size());
    for (const std::uint32_t tablespace : list.tablespaces) append_leb128(out, tablespace);
    write_databases(out, list);
    return out;
}

/// Makes the database with the most forks a whole one. Where even whole databases and tablespaces
/// are too many, everything counts as changed.
void widen(BlockReferences& list) {
    if (list.forks.empty()) {
        list.notes |= note_everything;
        list.databases.clear();
        list.tablespaces.clear();
        return;
    }
    std::size_t best = 0;
    std::size_t best_size = 0;
    for (std::size_t i = 0; i < list.forks.size();) {
        const DatabaseFiles files = database_of(list.forks[i].relation);
        std::size_t end = i;
        while (end < list.forks.size() && database_of(list.forks[end].relation) == files) ++end;
        if (end - i > best_size) {
            best = i;
            best_size = end - i;
        }
        i = end;
    }
    const auto first = list.forks.begin() + static_cast<std::ptrdiff_t>(best);
    const DatabaseFiles files = database_of(first->relation);
    list.forks.erase(first, first + static_cast<std::ptrdiff_t>(best_size));
    list.databases.insert(std::upper_bound(list.databases.begin(), list.databases.end(), files),
                          files);
}

class ListReader {
public:
    explicit ListReader(ByteView bytes) : reader_(bytes) {}

    BlockReferences read() {
        if (const auto version = reader_.read<std::uint8_t>(); version != list_version) {
            if (version == 0) corrupt("version");
            throw Error(ErrorKind::usage,
                        format("list of block references has version {}, which is newer than this "
                               "version of walden understands",
                               version))
                .with_hint("Upgrade walden on this host.");
        }
        list_.notes = reader_.read<std::uint8_t>();
        const auto state = reader_.read<std::uint8_t>();
        list_.shift = reader_.read<std::uint8_t>();
        list_.begin.value = reader_.read<std::uint64_t>();
        list_.end.value = reader_.read<std::uint64_t>();
        if ((list_.notes & ~known_notes) != 0) corrupt("notes");
        if (state >> 1 > 2) corrupt("state");
        if (list_.shift > shift_max) corrupt("shift");
        if (list_.end < list_.begin) corrupt("range");
        list_.is_open = (state & 1) != 0;
        list_.carried = static_cast<Carried>(state >> 1);
        for (std::size_t n = read_count(1); n > 0; --n) read_tablespace();
        for (std::size_t n = read_count(3); n > 0; --n) read_database();
        if (!reader_.ok() || reader_.remaining() != 0) corrupt("its size");
        return std::move(list_);
    }

private:
    std::uint32_t read_number() {
        return static_cast<std::uint32_t>(
            read_leb128(reader_, std::numeric_limits<std::uint32_t>::max()));
    }

    /// Of things that take at least `size_min` bytes each.
    std::size_t read_count(std::size_t size_min) {
        const auto count = static_cast<std::size_t>(read_leb128(reader_));
        if (!reader_.ok() || count > reader_.remaining() / size_min) corrupt("a count");
        return count;
    }

    void read_tablespace() {
        const std::uint32_t tablespace = read_number();
        if (!list_.tablespaces.empty() && tablespace <= list_.tablespaces.back())
            corrupt("order of tablespaces");
        list_.tablespaces.push_back(tablespace);
    }

    void read_database() {
        DatabaseFiles files;
        files.tablespace = read_number();
        files.database = read_number();
        if (previous_ && files <= *previous_) corrupt("order of databases");
        previous_ = files;
        const auto flags = reader_.read<std::uint8_t>();
        if (flags > whole_database) corrupt("flags of a database");
        if (flags == whole_database) {
            list_.databases.push_back(files);
            return;
        }
        const std::size_t count = read_count(3);
        if (count == 0) corrupt("a database without relations");
        const std::size_t first = list_.forks.size();
        for (std::size_t i = 0; i < count; ++i)
            read_fork(files, i == 0 ? nullptr : &list_.forks[first + i - 1].relation);
    }

    void read_fork(const DatabaseFiles& files, const RelationFork* before) {
        ForkReferences fork;
        const std::uint64_t relation =
            std::uint64_t{before != nullptr ? before->relation : 0} + read_number();
        if (relation > std::numeric_limits<std::uint32_t>::max()) corrupt("a relation");
        const auto flags = reader_.read<std::uint8_t>();
        fork.relation = {.tablespace = files.tablespace,
                         .database = files.database,
                         .relation = static_cast<std::uint32_t>(relation),
                         .fork = static_cast<std::uint8_t>(flags & ~unsigned{has_limit})};
        if (fork.relation.fork > fork_max) corrupt("a fork");
        if (before != nullptr && fork.relation <= *before) corrupt("order of relations");
        if ((flags & has_limit) != 0) {
            fork.limit = read_number();
            if (fork.limit == no_limit) corrupt("a limit");
        }
        read_runs(fork);
        list_.forks.push_back(std::move(fork));
    }

    void read_runs(ForkReferences& fork) {
        // Without padding, block 2^32 - 1 would be one; it is PostgreSQL's "no block".
        const std::uint64_t units = list_.shift == 0 ? block_end - 1 : block_end >> list_.shift;
        std::uint64_t first = 0;
        std::uint64_t end = 0;  // of the run that is being read, if there is one
        bool may_grow = false;
        for (std::size_t items = read_count(1); items > 0; --items) {
            const std::uint64_t step = read_leb128(reader_, block_end);
            if (step == 0) {
                const std::uint64_t more = read_leb128(reader_, block_end);
                if (!may_grow || more == 0) corrupt("a run");
                end += more;
                may_grow = false;
            } else {
                if (end != 0) keep_run(fork, first, end);
                first = end == 0 ? step - 1 : end + step;
                end = first + 1;
                may_grow = true;
            }
            if (!reader_.ok() || end > units) corrupt("blocks");
        }
        if (end != 0) keep_run(fork, first, end);
    }

    void keep_run(ForkReferences& fork, std::uint64_t first, std::uint64_t end) const {
        const std::uint64_t block = first << list_.shift;
        fork.runs.push_back(
            {static_cast<std::uint32_t>(block), to_count(block, end << list_.shift)});
    }

    ByteReader reader_;
    BlockReferences list_;
    std::optional<DatabaseFiles> previous_;
};

void append_blocks(std::vector<BlockRun>& runs, std::uint64_t first, std::uint64_t end) {
    if (!runs.empty() && first <= std::uint64_t{runs.back().first} + runs.back().count)
        runs.back().count = to_count(runs.back().first, end);
    else
        runs.push_back({static_cast<std::uint32_t>(first), to_count(first, end)});
}

}  // namespace

void append_run(std::vector<BlockRun>& runs, std::uint32_t first, std::uint8_t shift) {
    append_blocks(runs, first, first + (std::uint64_t{1} << shift));
}

void coarsen(BlockReferences& list, std::uint8_t shift) {
    if (shift <= list.shift) return;
    for (ForkReferences& fork : list.forks) {
        std::vector<BlockRun> coarse;
        for (const BlockRun& run : fork.runs)
            append_blocks(coarse, (std::uint64_t{run.first} >> shift) << shift,
                          units_end(run, shift) << shift);
        fork.runs = std::move(coarse);
    }
    list.shift = shift;
}

Bytes encode_block_references(BlockReferences list) {
    Bytes out = encode_as_it_is(list);
    while (out.size() > block_references_size_max) {
        if (list.shift < shift_max)
            coarsen(list, static_cast<std::uint8_t>(list.shift + 1));
        else
            widen(list);
        out = encode_as_it_is(list);
    }
    return out;
}

BlockReferences decode_block_references(ByteView bytes) {
    if (bytes.size() > block_references_size_max) corrupt("its size");
    return ListReader(bytes).read();
}

}  // namespace walden::wal
