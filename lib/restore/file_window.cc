#include "restore/file_window.h"

#include "base/error.h"
#include "base/format.h"
#include "base/parallel.h"
#include "codec/codec.h"
#include "vault/container_steps.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <tuple>

namespace walden::restore {

namespace {

/// Open files of a window.
constexpr std::size_t files_max = 400;
/// Tags, runs and units of a window.
constexpr std::uint64_t map_bytes_max = std::uint64_t{8} << 20;
/// What one request brings; each worker has it twice in memory, sealed and opened.
constexpr std::uint64_t range_size_max = std::uint64_t{8} << 20;
/// Bytes between two units that are read rather than asked around.
constexpr std::uint64_t gap_size_max = std::uint64_t{256} << 10;
/// Writes of this size start on their way to the disk at once.
constexpr std::uint64_t early_writeback_size_min = std::uint64_t{256} << 10;

std::uint64_t end_of(const vault::Unit& unit) {
    return std::uint64_t{unit.offset} + unit.stored_size;
}

}  // namespace

int TargetFile::fd() {
    const std::lock_guard lock(mutex_);
    if (fd_.valid()) return fd_.get();
    fd_ = FileDescriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode_));
    if (!fd_.valid()) throw system_error(ErrorKind::io, format("create \"{}\"", path_), errno);
    return fd_.get();
}

int TargetFile::open_present(std::uint64_t size) {
    const std::lock_guard lock(mutex_);
    FileDescriptor fd(::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.valid()) {
        if (errno == ENOENT) return -1;
        throw system_error(ErrorKind::io, format("open \"{}\"", path_), errno);
    }

    struct stat status {};

    if (::fstat(fd.get(), &status) != 0)
        throw system_error(ErrorKind::io, format("look at \"{}\"", path_), errno);
    if (!S_ISREG(status.st_mode))
        throw Error(ErrorKind::io, format("\"{}\" is no ordinary file", path_));
    if (static_cast<std::uint64_t>(status.st_size) > size &&
        ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
        throw system_error(ErrorKind::io, format("cut \"{}\"", path_), errno);
    if (::fchmod(fd.get(), mode_) != 0)
        throw system_error(ErrorKind::io, format("set the mode of \"{}\"", path_), errno);
    fd_ = std::move(fd);
    return fd_.get();
}

void TargetFile::close() {
    const std::lock_guard lock(mutex_);
    if (fd_.valid()) fd_.close_checked(path_);
}

/// What one thread works with.
class FileWindow::Worker {
public:
    explicit Worker(const FileWindow& window)
        : window_(window), tagger_(vault::make_page_tagger(window.store_.keys())) {}

    /// Reads the range of units, decodes each, and writes the pages that are wanted of it.
    void write(const Range& range) {
        const Piece& first = window_.pieces_[range.begin];
        const std::uint64_t offset = first.unit.offset;
        std::uint64_t end = 0;
        for (std::size_t i = range.begin; i < range.end; ++i)
            end = std::max(end, end_of(window_.pieces_[i].unit));
        const std::string key =
            window_.store_.layout().pack_key(first.pack.backup, first.pack.number);
        in_context([&] { return format("pack \"{}\"", key); },
                   [&] { read_range(key, offset, static_cast<std::size_t>(end - offset)); });
        for (std::size_t i = range.begin; i < range.end; ++i) {
            const Piece& piece = window_.pieces_[i];
            if (i == range.begin || piece.unit.offset != window_.pieces_[i - 1].unit.offset)
                in_context([&] { return format("pack \"{}\"", key); },
                           [&] { decode(piece, offset); });
            write_piece(piece);
        }
    }

private:
    void read_range(const std::string& key, std::uint64_t offset, std::size_t size) {
        constexpr std::size_t head_size = vault::ObjectPartOpener::head_size_max;
        get(key, 0, head_size, head_);
        vault::ObjectPartOpener opener(window_.store_.keys(),
                                       {.kind = vault::ObjectKind::pack, .key = key}, head_);
        const auto range = opener.range_of(offset, size);
        get(key, range.offset, range.size, sealed_);
        encoded_ = opener.open(offset, size, sealed_, opened_);
    }

    void get(const std::string& key, std::uint64_t offset, std::size_t size, Bytes& out) const {
        if (!window_.store_.storage().get_range(key, offset, size, out))
            throw Error(ErrorKind::missing, "it is not in the archive");
    }

    void decode(const Piece& piece, std::uint64_t offset) {
        plain_.resize(piece.unit.plain_size);
        codec::decode_unit(piece.unit.codec,
                           encoded_.subspan(piece.unit.offset - offset, piece.unit.stored_size),
                           plain_);
    }

    void write_piece(const Piece& piece) {
        const vault::SectionShape& shape = piece.part->shape;
        const std::uint64_t size = shape.bytes_of(piece.page, piece.run.page_count);
        const ByteView bytes =
            ByteView(plain_).subspan(piece.run.plain_offset, static_cast<std::size_t>(size));
        for (std::uint32_t i = 0; i < piece.run.page_count; ++i) {
            const std::size_t begin = std::size_t{i} * shape.page_size;
            const ByteView page =
                bytes.subspan(begin, std::min<std::size_t>(shape.page_size, bytes.size() - begin));
            if (tagger_.tag(page) != piece.part->section.tags[piece.page + i])
                throw Error(ErrorKind::corrupt,
                            format("page {} of \"{}\" is not what was backed up",
                                   piece.part->offset / shape.page_size + piece.page + i,
                                   piece.part->file->path()));
        }
        const int fd = piece.part->file->fd();
        const std::uint64_t offset =
            piece.part->offset + std::uint64_t{piece.page} * shape.page_size;
        write_all_at(fd, offset, bytes, piece.part->file->path());
        if (size >= early_writeback_size_min)
            ::sync_file_range(fd, static_cast<off_t>(offset), static_cast<off_t>(size),
                              SYNC_FILE_RANGE_WRITE);
    }

    const FileWindow& window_;
    crypto::PageTagger tagger_;
    Bytes head_;
    Bytes sealed_;
    Bytes opened_;
    ByteView encoded_;
    Bytes plain_;
};

FileWindow::FileWindow(const vault::BackupStore& store, std::uint32_t page_size,
                       std::size_t worker_count, PresentFiles present)
    : store_(store),
      sections_(store, 2),
      page_size_(page_size),
      worker_count_(worker_count),
      present_(present),
      tagger_(vault::make_page_tagger(store.keys())) {}

void FileWindow::add(const vault::IndexEntry& entry, const std::string& path, mode_t mode) {
    TargetFile& file = files_.emplace_back(path, mode);
    const int present = present_ == PresentFiles::compare ? file.open_present(entry.size) : -1;
    if (entry.size == 0) {
        static_cast<void>(file.fd());
        return;
    }
    for (std::size_t i = 0; i < entry.sections.size(); ++i) {
        Part& part = parts_.emplace_back();
        part.file = &file;
        part.offset = std::uint64_t{i} * vault::section_pages_max * page_size_;
        part.shape = vault::section_shape(entry.size, page_size_, i);
        part.section = sections_.read(entry.sections[i], part.shape);
        const std::vector<bool> is_there =
            present >= 0 ? compare(part, present) : std::vector<bool>();
        std::uint32_t page = 0;
        for (const vault::PageRun& run : part.section.runs) {
            add_missing(part, page, run, is_there);
            page += run.page_count;
        }
        map_bytes_ += part.section.tags.size() * sizeof(crypto::PageTag) +
                      part.section.runs.size() * (sizeof(vault::PageRun) + sizeof(Piece)) +
                      part.section.units.size() * sizeof(vault::Unit);
    }
    written_bytes_ += entry.size;
}

/// Adds the pages of a run that are not there, as runs of their own.
void FileWindow::add_missing(const Part& part, std::uint32_t page, const vault::PageRun& run,
                             const std::vector<bool>& is_there) {
    if (is_there.empty()) {
        add_run(part, page, run);
        return;
    }
    std::uint32_t at = 0;
    while (at < run.page_count) {
        std::uint32_t end = at;
        while (end < run.page_count && is_there[page + end] == is_there[page + at]) ++end;
        vault::PageRun piece = run;
        piece.page_count = end - at;
        piece.plain_offset += at * page_size_;
        if (is_there[page + at])
            kept_bytes_ += part.shape.bytes_of(page + at, end - at);
        else
            add_run(part, page + at, piece);
        at = end;
    }
}

void FileWindow::add_run(const Part& part, std::uint32_t page, const vault::PageRun& run) {
    if (!run.unit) {
        write_zeros(part, page, run);
        return;
    }
    const vault::Unit& unit = part.section.units[*run.unit];
    pieces_.push_back({.part = &part,
                       .pack = part.section.packs[unit.pack],
                       .unit = unit,
                       .page = page,
                       .run = run});
}

/// Which pages of the part the file holds already.
std::vector<bool> FileWindow::compare(const Part& part, int fd) {
    constexpr std::uint64_t step = std::uint64_t{1} << 20;
    std::vector<bool> is_there(part.shape.page_count(), false);
    std::uint32_t page = 0;
    for (std::uint64_t done = 0; done < part.shape.byte_size; done += step) {
        const std::uint64_t wanted = std::min(step, part.shape.byte_size - done);
        const Bytes bytes =
            read_range(fd, part.offset + done, static_cast<std::size_t>(wanted), part.file->path());
        for (std::size_t begin = 0; begin < bytes.size(); begin += page_size_, ++page) {
            const std::uint64_t size = part.shape.bytes_of(page, 1);
            if (bytes.size() - begin < size) return is_there;
            is_there[page] = tagger_.tag(ByteView(bytes).subspan(
                                 begin, static_cast<std::size_t>(size))) == part.section.tags[page];
        }
        if (bytes.size() < wanted) return is_there;
    }
    return is_there;
}

bool FileWindow::is_full() const {
    return files_.size() >= files_max || map_bytes_ >= map_bytes_max;
}

void FileWindow::write_zeros(const Part& part, std::uint32_t page, const vault::PageRun& run) {
    // Not a hole: the space must be there when PostgreSQL writes to it.
    const std::uint64_t size = part.shape.bytes_of(page, run.page_count);
    const Bytes zeros(static_cast<std::size_t>(size), std::byte{0});
    write_or_reserve_at(part.file->fd(), part.offset + std::uint64_t{page} * part.shape.page_size,
                        zeros, part.file->path());
}

std::vector<FileWindow::Range> FileWindow::make_ranges() const {
    std::vector<Range> ranges;
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
        const Piece& piece = pieces_[i];
        if (!ranges.empty()) {
            const Piece& first = pieces_[ranges.back().begin];
            const Piece& last = pieces_[i - 1];
            if (first.pack == piece.pack &&
                end_of(piece.unit) - first.unit.offset <= range_size_max &&
                piece.unit.offset <= end_of(last.unit) + gap_size_max) {
                ranges.back().end = i + 1;
                continue;
            }
        }
        ranges.push_back({.begin = i, .end = i + 1});
    }
    return ranges;
}

void FileWindow::write() {
    std::sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) {
        return std::tie(a.pack, a.unit.offset) < std::tie(b.pack, b.unit.offset);
    });
    const std::vector<Range> ranges = make_ranges();
    std::mutex mutex;
    std::vector<std::unique_ptr<Worker>> idle;
    for_each_index_in_parallel(ranges.size(), worker_count_, [&](std::size_t i) {
        std::unique_ptr<Worker> worker;
        {
            const std::lock_guard lock(mutex);
            if (!idle.empty()) {
                worker = std::move(idle.back());
                idle.pop_back();
            }
        }
        if (worker == nullptr) worker = std::make_unique<Worker>(*this);
        worker->write(ranges[i]);
        const std::lock_guard lock(mutex);
        idle.push_back(std::move(worker));
    });
    close_files();
    pieces_.clear();
    parts_.clear();
    files_.clear();
    map_bytes_ = 0;
}

void FileWindow::close_files() {
    for (TargetFile& file : files_) file.close();
}

}  // namespace walden::restore
