#include "backup/wal_source.h"

#include "base/file.h"
#include "base/format.h"

namespace walden::backup {

std::optional<vault::StoredEntry> WalSource::find_entry(std::uint64_t number) const {
    return vault_.entries().find(vault_.layout().segment_key(file_name(number)));
}

bool WalSource::read_here(std::uint64_t number, Bytes& bytes) const {
    auto file =
        read_file(format("{}/pg_wal/{}", pgdata_, file_name(number)), line_.segment_size.bytes());
    if (!file || file->size() != line_.segment_size.bytes()) return false;
    // A file that waits to be used again has the name of a segment to come and the pages of
    // another.
    const wal::SegmentReport report = wal::read_segment(input(number, *file));
    if (!report.header) return false;
    bytes = *std::move(file);
    return true;
}

bool WalSource::read(std::uint64_t number, Bytes& bytes) const {
    if (read_here(number, bytes)) return true;
    if (!vault_.keys().can_read_contents()) return false;
    const auto stored = find_entry(number);
    if (!stored) return false;
    vault_.contents().read(stored->entry, bytes);
    return true;
}

}  // namespace walden::backup
