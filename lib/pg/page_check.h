// Whether a page of a relation is what the server wrote. Only the checksum decides: headers look
// odd in forks of PostgreSQL that encrypt, and fail no backup (pitfall 2).
#pragma once

#include "base/bytes.h"
#include "pg/relation_file.h"

#include <cstdint>
#include <string>

namespace walden::pg {

enum class PageState : std::uint8_t {
    good,
    zero,  ///< never written: extended, or reserved; it has no checksum and is valid
    bad,   ///< the checksum is wrong: torn, for it is being written at this moment, or damaged
};

/// Judges one whole page, of a cluster with checksums. `block` counts through the segment files of
/// a fork (block_of).
[[nodiscard]] PageState check_page(ByteView page, std::uint32_t block);

/// The block number of page `page_of_file` of a segment file (pitfall 32).
[[nodiscard]] constexpr std::uint32_t block_of(const RelationFile& file,
                                               std::uint32_t pages_per_file,
                                               std::uint32_t page_of_file) {
    return file.segment * pages_per_file + page_of_file;
}

enum class PageVerdict : std::uint8_t {
    good,
    zero,
    /// Bad each time, with other bytes: the server writes it again and again. The archive has a
    /// full-page image of it, for the backup has begun before.
    torn,
    /// Bad, and always the same: damaged, unless the archive has a full-page image of it.
    damaged,
    gone,  ///< the file has become shorter meanwhile
};

/// Where a page was read from.
struct PagePlace {
    int fd = -1;
    std::uint64_t offset = 0;  ///< of the page's first byte in the file
    std::uint32_t block = 0;
    const std::string& path;  ///< for messages
};

/// Judges a page that was read from `place`, and reads a bad one again, a few times within some
/// milliseconds. `page` then holds what was read last; what it was before if the page is gone.
/// Throws Error(io).
[[nodiscard]] PageVerdict prove_page(const PagePlace& place, MutableByteView page);

}  // namespace walden::pg
