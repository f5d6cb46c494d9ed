#include "base/large_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <mutex>
#include <new>

namespace walden {

namespace {

std::size_t round_up(std::size_t size) {
    return (size + large_memory_page_size - 1) & ~(large_memory_page_size - 1);
}

struct Block {
    void* place = nullptr;
    std::size_t size = 0;
};

/// Blocks that were freed, the oldest first. Takes no memory itself: deallocation must not fail.
class KeptBlocks {
public:
    void set_limit(std::size_t size_max) {
        const std::lock_guard lock(mutex_);
        size_max_ = size_max;
        while (size_ > size_max_) give_back_oldest();
    }

    /// A block of exactly that size, or none: a larger one would be wasted on a small buffer.
    void* take(std::size_t size) {
        const std::lock_guard lock(mutex_);
        for (std::size_t i = count_; i-- > 0;)
            if (blocks_.at(i).size == size) return remove(i).place;
        return nullptr;
    }

    /// False if it is not kept.
    bool keep(Block block) noexcept {
        const std::lock_guard lock(mutex_);
        if (block.size > size_max_) return false;
        while (count_ == blocks_.size() || size_ + block.size > size_max_) give_back_oldest();
        blocks_.at(count_++) = block;
        size_ += block.size;
        return true;
    }

private:
    Block remove(std::size_t i) {
        const Block block = blocks_.at(i);
        std::copy(blocks_.begin() + i + 1, blocks_.begin() + count_, blocks_.begin() + i);
        --count_;
        size_ -= block.size;
        return block;
    }

    void give_back_oldest() {
        const Block oldest = remove(0);
        static_cast<void>(::munmap(oldest.place, oldest.size));
    }

    std::mutex mutex_;
    std::array<Block, 16> blocks_;
    std::size_t count_ = 0;
    std::size_t size_ = 0;
    std::size_t size_max_ = 0;
};

constinit KeptBlocks kept_blocks;

}  // namespace

void keep_large_memory(std::size_t size_max) {
    kept_blocks.set_limit(size_max);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WALDEN_IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WALDEN_IS_SANITIZED 1
#endif
#endif

#ifdef WALDEN_IS_SANITIZED

// The sanitizers see the ends of what their own allocator gave, and nothing of a mapping.
void* allocate_large_memory(std::size_t count, std::size_t element_size) {
    if (count > SIZE_MAX / 2 / element_size) throw std::bad_array_new_length();
    return ::operator new(count* element_size);
}

void free_large_memory(void* place, std::size_t) noexcept {
    ::operator delete(place);
}

#else

void* allocate_large_memory(std::size_t count, std::size_t element_size) {
    if (count > SIZE_MAX / 2 / element_size) throw std::bad_array_new_length();
    const std::size_t size = round_up(count * element_size);
    if (void* const kept = kept_blocks.take(size)) return kept;
    // The kernel aligns to 4 KiB: ask for one huge page more, and give back what lies around.
    const std::size_t mapped_size = size + large_memory_page_size;
    void* const mapped =
        ::mmap(nullptr, mapped_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    auto* const begin = static_cast<std::byte*>(mapped);
    const std::size_t before = round_up(reinterpret_cast<std::uintptr_t>(mapped)) -
                               reinterpret_cast<std::uintptr_t>(mapped);
    std::byte* const place = begin + before;
    if (before > 0) static_cast<void>(::munmap(begin, before));
    if (before < large_memory_page_size)
        static_cast<void>(::munmap(place + size, large_memory_page_size - before));
    // A kernel without huge pages, or without one to spare, gives small ones.
    static_cast<void>(::madvise(place, size, MADV_HUGEPAGE));
    return place;
}

void free_large_memory(void* place, std::size_t size) noexcept {
    if (!kept_blocks.keep({place, round_up(size)}))
        static_cast<void>(::munmap(place, round_up(size)));
}

#endif

}  // namespace walden
