#include "backup/work_source.h"

#include <algorithm>

namespace walden::backup {

namespace {

/// Small files are read together up to one unit.
constexpr std::size_t items_max = 512;

}  // namespace

ParentIndex::ParentIndex(std::vector<vault::BackupIndexReader> readers) {
    for (vault::BackupIndexReader& reader : readers) {
        auto first = reader.next();
        streams_.push_back({.reader = std::move(reader), .next = std::move(first)});
    }
}

std::optional<vault::IndexEntry> ParentIndex::find(const std::string& path) {
    std::optional<vault::IndexEntry> found;
    for (Stream& stream : streams_) {
        while (stream.next && vault::comes_before(stream.next->path, path))
            stream.next = stream.reader.next();
        if (!found && stream.next && stream.next->path == path) found = stream.next;
    }
    return found;
}

bool WorkSource::look_ahead() {
    if (file_) return true;
    file_ = scan_();
    if (!file_) return false;
    parent_entry_ = parent_.find(file_->entry.path);
    if (parent_entry_ && parent_entry_->type != vault::BackupFileType::file) parent_entry_.reset();
    next_section_ = 0;
    pages_.reset();
    if (file_->relation && parent_entry_ && parent_entry_->size % page_size_ == 0)
        pages_ = changes_.pages_of(file_->entry.path, *file_->relation,
                                   static_cast<std::uint32_t>(parent_entry_->size / page_size_));
    return true;
}

/// Which of the file's pages that must be read lie in the item.
WorkItem::Pages WorkSource::pages_of(const WorkItem& item) const {
    const auto begin = static_cast<std::uint32_t>(item.first_section * vault::section_pages_max);
    const auto end = static_cast<std::uint32_t>((item.first_section + item.section_count) *
                                                vault::section_pages_max);
    const auto slice = [&](const std::vector<std::uint32_t>& pages) {
        return std::vector<std::uint32_t>(std::lower_bound(pages.begin(), pages.end(), begin),
                                          std::lower_bound(pages.begin(), pages.end(), end));
    };
    return {.named = slice(pages_->named), .sampled = slice(pages_->sampled)};
}

bool WorkSource::names_left_pack(const WorkItem& item) const {
    for (const vault::SectionRef& section : item.parent_sections)
        for (const vault::PackUse& use : section.uses)
            if (std::binary_search(left_packs_.begin(), left_packs_.end(), use.pack)) return true;
    return false;
}

/// Whether the item's sections are as large as they were.
bool WorkSource::has_same_shape(const WorkItem& item) const {
    if (item.parent_sections.size() != item.section_count) return false;
    const std::uint64_t end =
        (item.first_section + item.section_count) * vault::section_pages_max * page_size_;
    return std::min(item.parent_size, end) == std::min(item.entry.size, end);
}

WorkItem WorkSource::item(std::uint64_t first_section, std::uint64_t section_count) const {
    WorkItem item{.entry = file_->entry,
                  .path = file_->path,
                  .first_section = first_section,
                  .section_count = section_count,
                  .is_required = file_->is_required,
                  .relation = file_->relation,
                  .parent_sections = {},
                  .parent_size = 0,
                  .pages = std::nullopt,
                  .is_known = false};
    if (!parent_entry_) return item;
    item.parent_size = parent_entry_->size;
    const auto& sections = parent_entry_->sections;
    for (std::uint64_t i = first_section;
         i < std::min<std::uint64_t>(first_section + section_count, sections.size()); ++i)
        item.parent_sections.push_back(sections[i]);
    if (pages_) {
        item.pages = pages_of(item);
        item.is_known = item.pages->named.empty() && item.pages->sampled.empty() &&
                        has_same_shape(item) && !names_left_pack(item);
    }
    return item;
}

std::optional<Work> WorkSource::next() {
    Work work{.number = next_number_, .items = {}};
    std::uint64_t bytes = 0;
    while (work.items.size() < items_max && look_ahead()) {
        const bool is_file = file_->entry.type == vault::BackupFileType::file;
        const std::uint64_t size = is_file ? file_->entry.size : 0;
        if (size > vault::unit_size_max) {
            if (!work.items.empty()) break;
            const std::uint64_t sections = vault::section_count(size, page_size_);
            work.items.push_back(item(next_section_, 1));
            if (++next_section_ == sections) file_.reset();
            break;
        }
        if (bytes + size > vault::unit_size_max) break;
        bytes += size;
        work.items.push_back(item(0, is_file ? vault::section_count(size, page_size_) : 0));
        file_.reset();
    }
    if (work.items.empty()) return std::nullopt;
    ++next_number_;
    return work;
}

}  // namespace walden::backup
