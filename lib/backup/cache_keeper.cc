#include "backup/cache_keeper.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

namespace walden::backup {

namespace {

std::uint64_t memory_page_size() {
    static const auto size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

}  // namespace

CacheKeeper::CacheKeeper(int fd, std::uint64_t begin, std::uint64_t size) : fd_(fd), begin_(begin) {
    if (size == 0) return;
    void* const place = ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_SHARED, fd,
                               static_cast<off_t>(begin));
    // Where that is not possible nothing is given back: a matter of politeness, not of the backup.
    if (place == MAP_FAILED) return;
    was_cached_.resize(
        static_cast<std::size_t>((size + memory_page_size() - 1) / memory_page_size()));
    if (::mincore(place, static_cast<std::size_t>(size), was_cached_.data()) != 0)
        was_cached_.clear();
    ::munmap(place, static_cast<std::size_t>(size));
}

void CacheKeeper::done(std::uint64_t offset, std::uint64_t size) const {
    const std::uint64_t page_size = memory_page_size();
    std::uint64_t page = (offset - begin_) / page_size;
    const std::uint64_t end = std::min<std::uint64_t>(
        (offset - begin_ + size + page_size - 1) / page_size, was_cached_.size());
    while (page < end) {
        const std::uint64_t first = page;
        while (page < end && (was_cached_[page] & 1) == 0) ++page;
        if (page > first)
            ::posix_fadvise(fd_, static_cast<off_t>(begin_ + first * page_size),
                            static_cast<off_t>((page - first) * page_size), POSIX_FADV_DONTNEED);
        while (page < end && (was_cached_[page] & 1) != 0) ++page;
    }
}

}  // namespace walden::backup
