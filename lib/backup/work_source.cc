#include "backup/work_source.h"

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
    if (file_->entry.type == vault::BackupFileType::file) seen_bytes_ += file_->entry.size;
    return true;
}

WorkItem WorkSource::item(std::uint64_t first_section, std::uint64_t section_count) const {
    WorkItem item{.entry = file_->entry,
                  .path = file_->path,
                  .first_section = first_section,
                  .section_count = section_count,
                  .is_required = file_->is_required,
                  .first_block = file_->first_block,
                  .parent_sections = {},
                  .parent_size = 0};
    if (!parent_entry_) return item;
    item.parent_size = parent_entry_->size;
    const auto& sections = parent_entry_->sections;
    for (std::uint64_t i = first_section;
         i < std::min<std::uint64_t>(first_section + section_count, sections.size()); ++i)
        item.parent_sections.push_back(sections[i]);
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
