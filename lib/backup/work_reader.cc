#include "backup/work_reader.h"

#include "backup/cache_keeper.h"
#include "base/error.h"
#include "base/format.h"
#include "pg/data_files.h"
#include "pg/page_check.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace walden::backup {

namespace {

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
      relation_units_(*reading.packs, UnitContent::pages, reading.encoding),
      other_units_(*reading.packs, UnitContent::bytes, reading.encoding) {
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
    if (item.is_known) {
        for (std::uint64_t i = 0; i < item.section_count; ++i) {
            const std::uint64_t size =
                vault::section_shape(item.entry.size, reading_.page_size, item.first_section + i)
                    .byte_size;
            done.sections.push_back(
                {.byte_size = size, .reused = item.parent_sections[i], .bytes = {}, .uses = {}});
            reading_.known_pages += size / reading_.page_size;
            reading_.done_bytes += size;
        }
        return;
    }
    const auto fd = pg::open_data_file(reading_.pgdata, item.entry.path);
    if (!fd) {
        if (item.is_required)
            throw Error(ErrorKind::not_found, format("\"{}\" is not there any more", item.path));
        done.is_gone = true;
        return;
    }
    for (std::uint64_t i = 0; i < item.section_count; ++i) {
        Pending& pending = pending_.emplace_back(reading_.page_size);
        pending.item = number;
        open_parent(item, i, pending);
        read_section(fd->get(), item, item.first_section + i, pending);
    }
}

void WorkReader::open_parent(const WorkItem& item, std::size_t index, Pending& pending) {
    if (index >= item.parent_sections.size()) return;
    pending.parent_ref = &item.parent_sections[index];
    const vault::SectionShape shape =
        vault::section_shape(item.parent_size, reading_.page_size, item.first_section + index);
    pending.parent.emplace(reading_.parents->read(*pending.parent_ref, shape), shape,
                           reading_.left_packs);
}

std::size_t WorkReader::read_pages(int fd, const WorkItem& item, std::uint64_t offset,
                                   MutableByteView room) {
    reading_.rate.take(room.size());
    const std::size_t size = read_at(fd, offset, room, item.path);
    reading_.read_bytes += size;
    return size;
}

void WorkReader::read_section(int fd, const WorkItem& item, std::uint64_t section,
                              Pending& pending) {
    UnitPacker& units = item.relation ? relation_units_ : other_units_;
    const vault::SectionShape shape =
        vault::section_shape(item.entry.size, reading_.page_size, section);
    const std::uint64_t begin = section * vault::section_pages_max * reading_.page_size;
    const bool is_last = section + 1 == vault::section_count(item.entry.size, reading_.page_size);
    const CacheKeeper cache(fd, begin, shape.byte_size);
    while (pending.byte_size < shape.byte_size) {
        const std::uint32_t readable = copy_known(item, section, pending, shape.page_count());
        if (readable == 0) break;
        const auto wanted =
            static_cast<std::size_t>(shape.bytes_of(pending.builder.page_count(), readable));
        MutableByteView room = units.room(wanted);
        std::size_t size = read_pages(fd, item, begin + pending.byte_size, room);
        // A file that was cut meanwhile: WAL cuts it again. In its middle it has zeros until then,
        // because more may have been added behind.
        if (size < wanted && !is_last) {
            std::fill(room.begin() + static_cast<std::ptrdiff_t>(size), room.end(), std::byte{0});
            size = wanted;
        }
        cache.done(begin + pending.byte_size, size);
        pending.byte_size += size;
        reading_.done_bytes += wanted;
        for (MutableByteView rest = room.first(size); !rest.empty();) {
            const std::size_t page_size = std::min<std::size_t>(rest.size(), reading_.page_size);
            add_page(fd, item, section, pending, rest.first(page_size));
            rest = rest.subspan(page_size);
        }
        if (size < wanted) break;
    }
}

/// Takes pages that need not be read from the backup before, and returns how many pages behind
/// them are to be read at once, of the section's `page_count`.
std::uint32_t WorkReader::copy_known(const WorkItem& item, std::uint64_t section, Pending& pending,
                                     std::uint32_t page_count) const {
    SectionBuilder& builder = pending.builder;
    const auto pages_max = static_cast<std::uint32_t>(vault::unit_size_max / reading_.page_size);
    const std::uint32_t first_page = builder.page_count();
    if (!item.pages || !pending.parent) return std::min(pages_max, page_count - first_page);
    const auto file_page = static_cast<std::uint32_t>(section * vault::section_pages_max);
    const auto is_listed = [&](std::uint32_t page) {
        return std::binary_search(item.pages->named.begin(), item.pages->named.end(), page) ||
               std::binary_search(item.pages->sampled.begin(), item.pages->sampled.end(), page);
    };
    std::optional<ParentSection::Place> place;
    // Where the file or the section before ends in the middle of a page, that one is read.
    const std::uint64_t whole_bytes =
        std::min(pending.parent->shape().byte_size,
                 vault::section_shape(item.entry.size, reading_.page_size, section).byte_size);
    const auto is_known = [&](std::uint32_t page) {
        return page < whole_bytes / reading_.page_size && !is_listed(file_page + page) &&
               pending.parent->has(page, place);
    };
    std::uint32_t page = first_page;
    for (; page < page_count && is_known(page); ++page) {
        const crypto::PageTag& tag = pending.parent->section().tags[page];
        if (place)
            builder.add_known(*pending.parent, *place, tag);
        else
            builder.add_zeros(tag);
    }
    const std::uint64_t bytes = std::uint64_t{page - first_page} * reading_.page_size;
    pending.byte_size += bytes;
    reading_.done_bytes += bytes;
    std::uint32_t end = page;
    while (end < page_count && end - page < pages_max && !is_known(end)) ++end;
    return end - page;
}

void WorkReader::add_page(int fd, const WorkItem& item, std::uint64_t section, Pending& pending,
                          MutableByteView page) {
    SectionBuilder& builder = pending.builder;
    const std::uint32_t number = builder.page_count();
    const auto file_page = static_cast<std::uint32_t>(section * vault::section_pages_max + number);
    if (item.relation && reading_.has_checksums && page.size() == reading_.page_size)
        prove(fd, item, file_page, page);
    const bool is_empty = is_zero(page);
    const crypto::PageTag tag =
        is_empty && page.size() == reading_.page_size ? zero_tag_ : tagger_.tag(page);
    if (item.pages && pending.parent && number < pending.parent->section().tags.size() &&
        pending.parent->section().tags[number] != tag &&
        std::binary_search(item.pages->sampled.begin(), item.pages->sampled.end(), file_page))
        reading_.surprises.with([&](std::vector<SuspectPage>& pages) {
            pages.push_back(
                {.path = item.entry.path, .page = file_page, .relation = *item.relation});
        });
    if (is_empty) {
        builder.add_zeros(tag);
        return;
    }
    if (pending.parent) {
        if (const auto place = pending.parent->find(number, page.size(), tag)) {
            builder.add_known(*pending.parent, *place, tag);
            return;
        }
    }
    (item.relation ? relation_units_ : other_units_).keep(page, builder, tag);
}

void WorkReader::prove(int fd, const WorkItem& item, std::uint32_t file_page,
                       MutableByteView page) {
    const std::uint32_t block = pg::block_of(*item.relation, reading_.pages_per_file, file_page);
    if (pg::check_page(page, block) != pg::PageState::bad) return;
    switch (pg::prove_page({.fd = fd,
                            .offset = std::uint64_t{file_page} * reading_.page_size,
                            .block = block,
                            .path = item.path},
                           page)) {
        case pg::PageVerdict::good:
        case pg::PageVerdict::zero: return;
        case pg::PageVerdict::gone:
            // WAL will cut the file where it ended.
            std::fill(page.begin(), page.end(), std::byte{0});
            return;
        case pg::PageVerdict::torn:
        case pg::PageVerdict::damaged:
            reading_.suspects.with([&](std::vector<SuspectPage>& pages) {
                pages.push_back(
                    {.path = item.entry.path, .page = file_page, .relation = *item.relation});
            });
    }
}

}  // namespace walden::backup
