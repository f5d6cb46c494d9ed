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

/// Memory for `count` elements of `element_size` bytes, aligned to 2 MiB, not initialised by
/// promise though zero in fact. Given back to the kernel by free_large_memory(). Throws
/// std::bad_alloc.
[[nodiscard]] void* allocate_large_memory(std::size_t count, std::size_t element_size);

/// `size` as allocated: count * element_size.
void free_large_memory(void* place, std::size_t size) noexcept;

}  // namespace walden
