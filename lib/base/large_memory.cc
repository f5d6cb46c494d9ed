#include "base/large_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace walden {

namespace {

constexpr std::size_t huge_page_size = std::size_t{2} << 20;

std::size_t round_up(std::size_t size) {
    return (size + huge_page_size - 1) & ~(huge_page_size - 1);
}

}  // namespace

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
    return ::operator new(count * element_size);
}

void free_large_memory(void* place, std::size_t) noexcept { ::operator delete(place); }

#else

void* allocate_large_memory(std::size_t count, std::size_t element_size) {
    if (count > SIZE_MAX / 2 / element_size) throw std::bad_array_new_length();
    const std::size_t size = round_up(count * element_size);
    // The kernel aligns to 4 KiB: ask for one huge page more, and give back what lies around.
    const std::size_t mapped_size = size + huge_page_size;
    void* const mapped = ::mmap(nullptr, mapped_size, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    auto* const begin = static_cast<std::byte*>(mapped);
    const std::size_t before = round_up(reinterpret_cast<std::uintptr_t>(mapped)) -
                               reinterpret_cast<std::uintptr_t>(mapped);
    std::byte* const place = begin + before;
    if (before > 0) static_cast<void>(::munmap(begin, before));
    if (before < huge_page_size)
        static_cast<void>(::munmap(place + size, huge_page_size - before));
    // A kernel without huge pages, or without one to spare, gives small ones.
    static_cast<void>(::madvise(place, size, MADV_HUGEPAGE));
    return place;
}

void free_large_memory(void* place, std::size_t size) noexcept {
    static_cast<void>(::munmap(place, round_up(size)));
}

#endif

}  // namespace walden
