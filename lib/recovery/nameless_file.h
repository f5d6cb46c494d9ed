// A prefetched file: on the file system of pg_wal, and in no directory.
//
// What has no name cannot be deleted, truncated or exchanged by somebody who looks into a
// directory, is copied by no base backup and by no pg_rewind, is not left behind by a killed agent,
// and needs no place to be configured: the kernel frees it with its last descriptor (O_TMPFILE,
// open(2)). It gets its one name when it is delivered, so the delivery is a link and a rename.
#pragma once

#include "base/bytes.h"
#include "base/file.h"
#include "base/file_identity.h"

#include <cstdint>
#include <string>
#include <utility>

namespace walden::recovery {

/// PostgreSQL syncs the file when it takes it over, and replay waits for that: 19 to 25 ms for
/// 16 MiB that are still in memory, 0.4 to 3 for those that were synced before (ext4).
enum class DiskWrite : std::uint8_t {
    begun,     ///< for somebody who waits for the file
    complete,  ///< for somebody who does not yet
};

/// Safe from several threads.
class NamelessFile {
public:
    /// An empty file on the file system of `directory`, or where that has no nameless files, in
    /// memory. Throws Error(io).
    explicit NamelessFile(std::string directory);

    /// One that holds `bytes` and is complete.
    NamelessFile(std::string directory, ByteView bytes, DiskWrite disk_write = DiskWrite::begun)
        : NamelessFile(std::move(directory)) {
        write_at(0, bytes);
        complete(bytes.size(), disk_write);
    }

    /// Writes a part; the parts come in any order. One of zeros is reserved only: nearly empty
    /// segments, of which archive_timeout makes many, are mostly that. Throws Error(io).
    void write_at(std::uint64_t offset, ByteView part);

    /// All of its `size` bytes have been written. The file's time is set into the past, so that
    /// each later write or truncation changes its stamp, however soon it comes. Throws Error(io).
    void complete(std::uint64_t size, DiskWrite disk_write);

    [[nodiscard]] int fd() const { return fd_.get(); }

    [[nodiscard]] const FileStamp& stamp() const { return stamp_; }

    /// Whether nobody wrote to it.
    [[nodiscard]] bool is_untouched() const;

    /// Its pages need not stay in memory; those that are not on disk yet do.
    void release_pages() const;

private:
    std::string directory_;  ///< for messages
    FileDescriptor fd_;
    FileStamp stamp_;  ///< once it is complete
};

/// Makes the file behind `fd` the file at `path`, which is replaced: by giving it its name, or
/// where that cannot be, on another file system or without /proc, by copying it. False, with
/// nothing done, if it is not, or not any more, the one of `stamp`. Throws Error(io) and leaves
/// nothing behind. Only for what PostgreSQL asked for itself: it syncs the file (placement.h).
[[nodiscard]] bool deliver_nameless(int fd, const FileStamp& stamp, const std::string& path);

}  // namespace walden::recovery
