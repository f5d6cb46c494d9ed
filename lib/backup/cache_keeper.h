// Leaves the page cache as it was: what only the backup has brought there is given back, so that a
// backup does not push out what the database works with.
#pragma once

#include <cstdint>
#include <vector>

namespace walden::backup {

/// Of one file that is read from front to back. One thread at a time.
class CacheKeeper {
public:
    /// Looks which pages of [begin, begin + size) are in the cache. Before anything is read there:
    /// what the kernel reads ahead would count as having been there.
    CacheKeeper(int fd, std::uint64_t begin, std::uint64_t size);

    /// These bytes were read: gives back those that were not in the cache before.
    void done(std::uint64_t offset, std::uint64_t size) const;

private:
    int fd_;
    std::uint64_t begin_;
    std::vector<unsigned char> was_cached_;  ///< for each page of memory; empty: not known
};

}  // namespace walden::backup
