#include "backup/parents.h"

#include "base/error.h"
#include "base/format.h"

#include <algorithm>

namespace walden::backup {

namespace {

/// Names tell when a backup began by the clock of its host, to the second. So that a clock does not
/// decide, the newest of a few is found by its WAL.
constexpr std::size_t committed_looked_at = 4;

/// Whether all that a part names of its own backup is there. Objects are whole or not there at all,
/// so what is listed can be relied on.
bool is_whole(const vault::IndexPartReader& part, const vault::BackupId& id,
              const std::vector<std::uint32_t>& maps, const std::vector<std::uint32_t>& packs) {
    const auto has = [&](const auto& ref, const std::vector<std::uint32_t>& numbers) {
        return ref.backup != id || std::binary_search(numbers.begin(), numbers.end(), ref.number);
    };
    return std::all_of(part.maps().begin(), part.maps().end(),
                       [&](const vault::MapRef& map) { return has(map, maps); }) &&
           std::all_of(part.packs().begin(), part.packs().end(),
                       [&](const vault::PackRef& pack) { return has(pack, packs); });
}

/// The outcome of a backup; where there is none and nobody can be at it any more, ABORT.
std::optional<vault::BackupOutcome> settled(const vault::BackupStore& store,
                                            const vault::BackupId& id, const ParentWish& wish) {
    if (auto outcome = store.find_outcome(id)) return outcome;
    const auto intent = store.find_intent(id);
    if (!intent || intent->writer.host != wish.writer.host ||
        intent->writer.instance != wish.writer.instance)
        return std::nullopt;
    return store.settle({.id = id,
                         .system_identifier = intent->system_identifier,
                         .writer = wish.writer,
                         .index = written_index(store, id, wish.page_size),
                         .commit = std::nullopt,
                         .abort_reason = "it was interrupted"});
}

}  // namespace

std::vector<vault::MapDigest> written_index(const vault::BackupStore& store,
                                            const vault::BackupId& id, std::uint32_t page_size) {
    const std::vector<std::uint32_t> maps = store.list_maps(id);
    const std::vector<std::uint32_t> packs = store.list_packs(id);
    std::vector<vault::MapDigest> index;
    for (const std::uint32_t number : maps) {
        Bytes plain = store.read_map(id, number);
        if (vault::map_kind(plain) != vault::MapKind::index) continue;
        const vault::MapDigest digest = vault::digest_of_map(number, plain);
        if (!is_whole(vault::IndexPartReader(std::move(plain), page_size), id, maps, packs)) break;
        index.push_back(digest);
    }
    return index;
}

std::vector<vault::BackupId> Parents::ids() const {
    std::vector<vault::BackupId> ids;
    for (const vault::BackupOutcome& outcome : outcomes) ids.push_back(outcome.id);
    return ids;
}

ParentIndex Parents::open(const vault::BackupStore& store, std::uint32_t page_size) const {
    std::vector<vault::BackupIndexReader> readers;
    for (const vault::BackupOutcome& outcome : outcomes)
        readers.emplace_back(store, outcome.id, outcome.index, page_size);
    return ParentIndex(std::move(readers));
}

Parents find_parents(const vault::BackupStore& store, const ParentWish& wish) {
    std::vector<vault::BackupId> ids = store.list();
    std::reverse(ids.begin(), ids.end());
    std::optional<vault::BackupOutcome> newest;
    std::vector<vault::BackupOutcome> interrupted;
    std::size_t committed_count = 0;
    for (const vault::BackupId& id : ids) {
        auto outcome = settled(store, id, wish);
        if (!outcome || outcome->system_identifier != wish.system_identifier ||
            outcome->index.empty() || store.find_tomb(id))
            continue;
        if (!outcome->commit) {
            interrupted.push_back(*std::move(outcome));
            continue;
        }
        if (outcome->commit->format.page_size != wish.page_size) continue;
        if (!newest || newest->commit->stop_lsn < outcome->commit->stop_lsn)
            newest = std::move(outcome);
        if (++committed_count == committed_looked_at) break;
    }
    Parents parents;
    for (vault::BackupOutcome& outcome : interrupted) {
        const auto intent = store.find_intent(outcome.id);
        if (intent && (!newest || intent->start_lsn >= newest->commit->stop_lsn))
            parents.outcomes.push_back(std::move(outcome));
    }
    if (newest) parents.outcomes.push_back(*std::move(newest));
    return parents;
}

KnownPacks find_packs(const vault::BackupStore& store, const Parents& parents) {
    KnownPacks packs;
    for (const vault::BackupOutcome& outcome : parents.outcomes) {
        if (!outcome.commit) continue;
        const vault::BackupUsage usage =
            vault::decode_usage(store.read_map(outcome.id, outcome.commit->usage));
        for (const vault::OwnerUsage& owner : usage)
            for (const vault::PackUsage& pack : owner.packs) {
                const vault::PackRef ref{.backup = owner.owner, .number = pack.number};
                packs.sizes[ref] = pack.encoded_size;
                if (pack.used * 2 < pack.encoded_size) packs.left.push_back(ref);
            }
    }
    return packs;
}

}  // namespace walden::backup
