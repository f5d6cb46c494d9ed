// The file that PostgreSQL wants archived: read once, and refused if it changes meanwhile.
#pragma once

#include <string>

#include "base/bytes.h"

namespace walden::archive {

/// Opens, reads and closes `path`, which must be an ordinary file of at most `size_max` bytes that
/// keeps size and modification time while it is read (faults 10 to 12). Throws Error(io) naming
/// the file otherwise; never returns a part.
[[nodiscard]] Bytes read_source_file(const std::string& path, std::size_t size_max);

}  // namespace walden::archive
