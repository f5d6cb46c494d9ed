// A part of a backup's files, restored together: as many as their maps fit in a little memory.
#pragma once

#include "base/file.h"
#include "crypto/page_tag.h"
#include "vault/backup_store.h"

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace walden::restore {

/// A file that is being written: made when its first page comes. Safe from several threads.
class TargetFile {
public:
    TargetFile(std::string path, mode_t mode) : path_(std::move(path)), mode_(mode) {}

    [[nodiscard]] const std::string& path() const { return path_; }

    /// Throws Error(io).
    [[nodiscard]] int fd();

    /// Opens the file if it is there, and cuts what lies behind `size`. -1 if there is none. Throws
    /// Error(io), also for what is no ordinary file.
    [[nodiscard]] int open_present(std::uint64_t size);

    /// Throws Error(io) for a late write error.
    void close();

private:
    std::string path_;
    mode_t mode_;
    std::mutex mutex_;
    FileDescriptor fd_;
};

/// What is done with files that are there already.
enum class PresentFiles : std::uint8_t {
    none,     ///< there are none
    compare,  ///< pages that have the right tag stay as they are, and are not fetched
};

/// Files come in, their pages are written, and it begins again. One thread at a time; the work
/// itself is done on several.
class FileWindow {
public:
    /// `store` must outlive the window.
    FileWindow(const vault::BackupStore& store, std::uint32_t page_size, std::size_t worker_count,
               PresentFiles present);

    /// Adds a file at `path`. Throws Error(io), and what reading maps throws.
    void add(const vault::IndexEntry& entry, const std::string& path, mode_t mode);

    [[nodiscard]] bool is_full() const;

    /// Writes what was added. Every page is compared with its tag before it is written. Throws
    /// Error(corrupt | missing) naming pack and file, Error(io), and what the storage throws.
    void write();

    /// Bytes of the files that are done.
    [[nodiscard]] std::uint64_t written_bytes() const { return written_bytes_; }

    /// Of them, what was there already.
    [[nodiscard]] std::uint64_t kept_bytes() const { return kept_bytes_; }

private:
    /// One section of a file.
    struct Part {
        TargetFile* file = nullptr;
        std::uint64_t offset = 0;  ///< in the file
        vault::Section section;
        vault::SectionShape shape;
    };

    /// Pages of one part in one unit.
    struct Piece {
        const Part* part = nullptr;
        vault::PackRef pack;
        vault::Unit unit;
        std::uint32_t page = 0;  ///< first one, in the part
        vault::PageRun run;
    };

    /// Units of one pack that are read at once.
    struct Range {
        std::size_t begin = 0;  ///< in pieces_
        std::size_t end = 0;
    };

    class Worker;

    void add_missing(const Part& part, std::uint32_t page, const vault::PageRun& run,
                     const std::vector<bool>& is_there);
    void add_run(const Part& part, std::uint32_t page, const vault::PageRun& run);
    [[nodiscard]] std::vector<bool> compare(const Part& part, int fd);
    void write_zeros(const Part& part, std::uint32_t page, const vault::PageRun& run);
    [[nodiscard]] std::vector<Range> make_ranges() const;
    void close_files();

    const vault::BackupStore& store_;
    vault::SectionReader sections_;
    std::uint32_t page_size_;
    std::size_t worker_count_;
    PresentFiles present_;
    crypto::PageTagger tagger_;
    std::deque<TargetFile> files_;
    std::deque<Part> parts_;
    std::vector<Piece> pieces_;
    std::uint64_t map_bytes_ = 0;
    std::uint64_t written_bytes_ = 0;
    std::uint64_t kept_bytes_ = 0;
};

}  // namespace walden::restore
