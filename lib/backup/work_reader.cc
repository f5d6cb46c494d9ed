#include "backup/work_reader.h"

#include "base/error.h"
#include "base/format.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace walden::backup {

namespace {

/// Not valid if there is no such file. A FIFO or device that took the file's place is not waited
/// for.
FileDescriptor open_to_read(const std::string& path) {
    FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd.valid()) {
        if (errno == ENOENT) return fd;
        const ErrorKind kind =
            errno == EACCES || errno == EPERM ? ErrorKind::denied : ErrorKind::io;
        throw system_error(kind, format("open \"{}\"", path), errno);
    }
    struct ::stat status = {};
    if (::fstat(fd.get(), &status) != 0)
        throw system_error(ErrorKind::io, format("look at \"{}\"", path), errno);
    if (!S_ISREG(status.st_mode))
        throw Error(ErrorKind::io, format("\"{}\" is no file any more", path));
    return fd;
}

/// Fills `out` from `offset` on, and returns how much of it the file has.
std::size_t read_at(int fd, std::uint64_t offset, MutableByteView out, const std::string& path) {
    std::size_t size = 0;
    while (size < out.size()) {
        const ssize_t got =
            ::pread(fd, out.data() + size, out.size() - size, static_cast<off_t>(offset + size));
        if (got == 0) break;
        if (got > 0)
            size += static_cast<std::size_t>(got);
        else if (errno != EINTR)
            throw system_error(ErrorKind::io, format("read \"{}\" at {}", path, offset + size),
                               errno);
    }
    return size;
}

}  // namespace

WorkReader::WorkReader(Reading& reading)
    : reading_(reading),
      tagger_(vault::make_page_tagger(reading.store->keys())),
      zero_tag_(),
      relation_units_(*reading.packs, reading.encoding),
      other_units_(*reading.packs, reading.encoding) {
    const Bytes zeros(reading.page_size, std::byte{0});
    zero_tag_ = tagger_.tag(zeros);
}

DoneWork WorkReader::read(const Work& work) {
    DoneWork done;
    done.items.resize(work.items.size());
    for (std::size_t i = 0; i < work.items.size(); ++i)
        if (work.items[i].entry.type == vault::BackupFileType::file)
            read_item(work.items[i], i, done.items[i]);
    relation_units_.flush();
    other_units_.flush();
    for (Pending& pending : pending_) {
        reading_.known_pages += pending.builder.known_pages();
        done.items[pending.item].sections.push_back(
            pending.builder.finish(pending.byte_size, pending.parent, pending.parent_ref));
    }
    pending_.clear();
    return done;
}

void WorkReader::read_item(const WorkItem& item, std::size_t number, DoneItem& done) {
    const FileDescriptor fd = open_to_read(item.path);
    if (!fd.valid()) {
        if (item.is_required)
            throw Error(ErrorKind::not_found, format("\"{}\" is not there any more", item.path));
        done.is_gone = true;
        return;
    }
    for (std::uint64_t i = 0; i < item.section_count; ++i) {
        Pending& pending = pending_.emplace_back(reading_.page_size);
        pending.item = number;
        const std::uint64_t section = item.first_section + i;
        if (i < item.parent_sections.size()) {
            pending.parent_ref = &item.parent_sections[i];
            const vault::SectionShape shape =
                vault::section_shape(item.parent_size, reading_.page_size, section);
            pending.parent.emplace(reading_.parents->read(*pending.parent_ref, shape), shape,
                                   reading_.left_packs);
        }
        read_section(fd.get(), item, section, pending);
    }
}

void WorkReader::read_section(int fd, const WorkItem& item, std::uint64_t section,
                              Pending& pending) {
    UnitPacker& units = item.entry.is_relation ? relation_units_ : other_units_;
    const vault::SectionShape shape =
        vault::section_shape(item.entry.size, reading_.page_size, section);
    const std::uint64_t begin = section * vault::section_pages_max * reading_.page_size;
    const bool is_last = section + 1 == vault::section_count(item.entry.size, reading_.page_size);
    while (pending.byte_size < shape.byte_size) {
        const auto wanted = static_cast<std::size_t>(
            std::min<std::uint64_t>(shape.byte_size - pending.byte_size, vault::unit_size_max));
        reading_.before_read(wanted);
        MutableByteView room = units.room(wanted);
        std::size_t size = read_at(fd, begin + pending.byte_size, room, item.path);
        reading_.read_bytes += size;
        reading_.done_bytes += wanted;
        // A file that was cut meanwhile: WAL cuts it again. In its middle it has zeros until then,
        // because more may have been added behind.
        if (size < wanted && !is_last) {
            std::fill(room.begin() + static_cast<std::ptrdiff_t>(size), room.end(), std::byte{0});
            size = wanted;
        }
        room = room.first(size);
        pending.byte_size += size;
        while (!room.empty()) {
            const std::size_t page_size = std::min<std::size_t>(room.size(), reading_.page_size);
            add_page(fd, item, section, pending, room.first(page_size));
            room = room.subspan(page_size);
        }
        if (size < wanted) break;
    }
}

void WorkReader::add_page(int fd, const WorkItem& item, std::uint64_t section, Pending& pending,
                          MutableByteView page) {
    SectionBuilder& builder = pending.builder;
    const std::uint32_t number = builder.page_count();
    if (is_zero(page)) {
        builder.add_zeros(page.size() == reading_.page_size ? zero_tag_ : tagger_.tag(page));
        return;
    }
    if (item.entry.is_relation && reading_.has_checksums)
        prove_page(fd, item, section * vault::section_pages_max + number, page);
    const crypto::PageTag tag = tagger_.tag(page);
    if (pending.parent) {
        if (const auto place = pending.parent->find(number, page.size(), tag)) {
            builder.add_known(*pending.parent, *place, tag);
            return;
        }
    }
    (item.entry.is_relation ? relation_units_ : other_units_).keep(page, builder, tag);
}

void WorkReader::prove_page(int /*fd*/, const WorkItem& /*item*/, std::uint64_t /*file_page*/,
                            MutableByteView /*page*/) {}

}  // namespace walden::backup
