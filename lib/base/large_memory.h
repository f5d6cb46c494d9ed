// Memory for whole segments: straight from the kernel, in huge pages where it gives them.
//
// A process that PostgreSQL starts for one segment touches each page of its buffers once. With
// pages of 4 KiB that is 4,096 faults for 16 MiB, 6.2 ms on the machine where zstd needs 45 ms for
// the same segment; with pages of 2 MiB it is 1.4 ms, most of it zeroing.
#pragma once

#include <cstddef>

namespace walden {

/// Buffers from this size on lie in memory of their own. Smaller ones would waste most of a page.
inline constexpr std::size_t large_memory_size_min = std::size_t{1} << 20;

/// What it comes in, with or without huge pages.
inline constexpr std::size_t large_memory_page_size = std::size_t{2} << 20;

/// Memory for `count` elements of `element_size` bytes, aligned to 2 MiB, not initialised by
/// promise. Given back by free_large_memory(). Throws std::bad_alloc.
[[nodiscard]] void* allocate_large_memory(std::size_t count, std::size_t element_size);

/// `size` as allocated: count * element_size.
void free_large_memory(void* place, std::size_t size) noexcept;

/// From now on up to `size_max` bytes of what is freed wait for the next allocation of the same
/// size; none of it by default. For a process that handles one segment after the other: the kernel
/// zeroes what it gives, 2 ms for 16 MiB. 0 gives everything back that waits. Safe from several
/// threads, as the other two.
void keep_large_memory(std::size_t size_max);

}  // namespace walden
