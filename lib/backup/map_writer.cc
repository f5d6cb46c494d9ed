#include "backup/map_writer.h"

#include <cassert>

namespace walden::backup {

namespace {

/// A part is closed before it reaches the size that a map may have.
constexpr std::size_t part_size_target = vault::map_size_max * 3 / 4;

}  // namespace

void MapWriter::add(const Work& work, DoneWork done) {
    assert(work.items.size() == done.items.size());
    for (std::size_t i = 0; i < work.items.size(); ++i)
        add_item(work.items[i], std::move(done.items[i]));
}

void MapWriter::add_item(const WorkItem& item, DoneItem done) {
    if (item.entry.type != vault::BackupFileType::file) {
        part_.add(item.entry);
        return;
    }
    if (item.first_section == 0) {
        assert(!file_);
        file_ = item.entry;
        file_->sections.clear();
        file_->size = 0;
        sections_left_ = vault::section_count(item.entry.size, page_size_);
        is_gone_ = false;
    }
    // A file that went while its sections were read is left out as a whole: WAL removes it, too.
    is_gone_ = is_gone_ || done.is_gone;
    for (DoneSection& section : done.sections) {
        if (section.byte_size == 0 || is_gone_) continue;
        file_->size += section.byte_size;
        file_->sections.push_back(section.reused ? *section.reused : store_section(section));
    }
    sections_left_ -= item.section_count;
    if (sections_left_ == 0) finish_file();
}

void MapWriter::finish_file() {
    if (!is_gone_) {
        for (const vault::SectionRef& section : file_->sections) note_use(section);
        part_.add(*file_);
        ++file_count_;
        plain_bytes_ += file_->size;
    }
    file_.reset();
    if (part_.size() >= part_size_target) close_part();
}

vault::SectionRef MapWriter::store_section(DoneSection& section) {
    if (!sections_.empty() && sections_.size() + section.bytes.size() > vault::map_size_max)
        close_sections();
    if (sections_.empty()) {
        sections_ = vault::begin_sections();
        sections_number_ = ++last_number_;
    }
    vault::SectionRef ref{.map = {.backup = id_, .number = sections_number_, .sha256 = {}},
                          .offset = static_cast<std::uint32_t>(sections_.size()),
                          .size = static_cast<std::uint32_t>(section.bytes.size()),
                          .uses = std::move(section.uses)};
    append(sections_, section.bytes);
    return ref;
}

void MapWriter::note_use(const vault::SectionRef& section) {
    named_[section.map.backup].maps.insert(section.map.number);
    for (const vault::PackUse& use : section.uses)
        named_[use.pack.backup].packs[use.pack.number] += use.bytes;
}

vault::MapDigest MapWriter::store_map(std::uint32_t number, ByteView plain) {
    vault::BackupStore::SealedMap map = store_.seal_map(id_, number, plain);
    take_(std::move(map.key), std::move(map.object));
    return map.digest;
}

void MapWriter::close_sections() {
    if (sections_.empty()) return;
    digests_[sections_number_] = store_map(sections_number_, sections_).sha256;
    sections_.clear();
}

void MapWriter::close_part() {
    close_sections();
    if (part_.empty()) return;
    const Bytes plain =
        part_.finish([&](const vault::MapRef& map) { return digests_.at(map.number); });
    index_.push_back(store_map(++last_number_, plain));
    // Sections of a file that is not complete yet may still name these maps.
    if (!file_) digests_.clear();
}

vault::MapDigest MapWriter::write_usage(const std::map<std::uint32_t, std::uint64_t>& own_packs,
                                        const std::map<vault::PackRef, std::uint64_t>& others) {
    for (const vault::MapDigest& part : index_) named_[id_].maps.insert(part.number);
    const std::uint32_t number = ++last_number_;
    named_[id_].maps.insert(number);
    // Packs that nothing names any more, because their file went: they are ours all the same.
    for (const auto& [pack, size] : own_packs) named_[id_].packs.try_emplace(pack, 0);
    vault::BackupUsage usage;
    for (const auto& [owner, named] : named_) {
        vault::OwnerUsage& of_owner = usage.emplace_back();
        of_owner.owner = owner;
        of_owner.maps.assign(named.maps.begin(), named.maps.end());
        for (const auto& [pack, used] : named.packs) {
            std::uint64_t size = 0;
            if (owner == id_)
                size = own_packs.at(pack);
            else if (const auto known = others.find({.backup = owner, .number = pack});
                     known != others.end())
                size = known->second;
            of_owner.packs.push_back({.number = pack, .encoded_size = size, .used = used});
        }
    }
    return store_map(number, vault::encode_usage(usage));
}

std::vector<vault::BackupId> MapWriter::owners() const {
    std::vector<vault::BackupId> owners;
    for (const auto& [owner, named] : named_) owners.push_back(owner);
    return owners;
}

}  // namespace walden::backup
