#include "backup/section_builder.h"

#include <algorithm>
#include <cassert>

namespace walden::backup {

ParentSection::ParentSection(vault::Section section, const vault::SectionShape& shape,
                             const std::vector<vault::PackRef>& left_packs)
    : section_(std::move(section)), shape_(shape) {
    is_left_.reserve(section_.units.size());
    for (const vault::Unit& unit : section_.units)
        is_left_.push_back(
            std::binary_search(left_packs.begin(), left_packs.end(), section_.packs[unit.pack]));
}

const vault::PageRun& ParentSection::seek(std::uint32_t page) {
    if (page < run_begin_) run_ = run_begin_ = 0;
    while (page >= run_begin_ + section_.runs[run_].page_count)
        run_begin_ += section_.runs[run_++].page_count;
    return section_.runs[run_];
}

std::optional<ParentSection::Place> ParentSection::find(std::uint32_t page, std::uint64_t size,
                                                        const crypto::PageTag& tag) {
    if (page >= section_.tags.size() || section_.tags[page] != tag ||
        shape_.bytes_of(page, 1) != size)
        return std::nullopt;
    std::optional<Place> place;
    if (!has(page, place)) return std::nullopt;
    return place;
}

bool ParentSection::has(std::uint32_t page, std::optional<Place>& place) {
    const vault::PageRun& run = seek(page);
    place.reset();
    if (!run.unit) return true;
    if (is_left_[*run.unit]) return false;
    place = Place{.unit = *run.unit,
                  .plain_offset = run.plain_offset + (page - run_begin_) * shape_.page_size};
    return true;
}

void SectionBuilder::add_page(const vault::PageRun& page, const crypto::PageTag& tag) {
    section_.tags.push_back(tag);
    if (!section_.runs.empty()) {
        vault::PageRun& last = section_.runs.back();
        const bool continues =
            last.unit == page.unit &&
            (!page.unit || last.plain_offset + last.page_count * page_size_ == page.plain_offset);
        if (continues) {
            ++last.page_count;
            return;
        }
    }
    section_.runs.push_back(page);
}

void SectionBuilder::add_zeros(const crypto::PageTag& tag) {
    add_page({.page_count = 1, .unit = std::nullopt, .plain_offset = 0}, tag);
}

void SectionBuilder::add_known(const ParentSection& parent, const ParentSection::Place& place,
                               const crypto::PageTag& tag) {
    const auto [known, is_new] =
        known_units_.try_emplace(place.unit, static_cast<std::uint32_t>(section_.units.size()));
    if (is_new) {
        const vault::Unit& unit = parent.section().units[place.unit];
        section_.units.push_back(unit);
        unit_packs_.push_back(parent.section().packs[unit.pack]);
    }
    add_page({.page_count = 1, .unit = known->second, .plain_offset = place.plain_offset}, tag);
    ++known_pages_;
}

std::uint32_t SectionBuilder::begin_unit() {
    section_.units.emplace_back();
    unit_packs_.emplace_back();
    return static_cast<std::uint32_t>(section_.units.size() - 1);
}

void SectionBuilder::add_new(std::uint32_t unit, std::uint32_t plain_offset,
                             const crypto::PageTag& tag) {
    add_page({.page_count = 1, .unit = unit, .plain_offset = plain_offset}, tag);
}

void SectionBuilder::set_unit(std::uint32_t number, const vault::PackRef& pack,
                              const vault::Unit& unit) {
    section_.units[number] = unit;
    unit_packs_[number] = pack;
}

void SectionBuilder::list_packs() {
    std::map<vault::PackRef, std::uint32_t> numbers;
    for (std::size_t i = 0; i < unit_packs_.size(); ++i) {
        const auto [place, is_new] =
            numbers.try_emplace(unit_packs_[i], static_cast<std::uint32_t>(section_.packs.size()));
        if (is_new) section_.packs.push_back(unit_packs_[i]);
        section_.units[i].pack = place->second;
    }
}

std::vector<vault::PackUse> SectionBuilder::uses(std::uint64_t byte_size) const {
    const vault::SectionShape shape{.page_size = page_size_, .byte_size = byte_size};
    std::vector<std::uint64_t> named(section_.units.size());
    std::uint32_t page = 0;
    for (const vault::PageRun& run : section_.runs) {
        if (run.unit) named[*run.unit] += shape.bytes_of(page, run.page_count);
        page += run.page_count;
    }
    std::vector<vault::PackUse> uses;
    uses.reserve(section_.packs.size());
    for (const vault::PackRef& pack : section_.packs) uses.push_back({.pack = pack, .bytes = 0});
    for (std::size_t i = 0; i < named.size(); ++i) {
        const vault::Unit& unit = section_.units[i];
        // Rounded up: what is named must not look unused.
        uses[unit.pack].bytes +=
            (named[i] * unit.stored_size + unit.plain_size - 1) / unit.plain_size;
    }
    return uses;
}

DoneSection SectionBuilder::finish(std::uint64_t byte_size,
                                   const std::optional<ParentSection>& parent,
                                   const vault::SectionRef* parent_ref) {
    DoneSection done{.byte_size = byte_size, .reused = {}, .bytes = {}, .uses = {}};
    if (byte_size == 0) return done;
    list_packs();
    // Equal runs can hide a page that has moved from a left pack: then the units differ.
    if (parent && parent->shape().byte_size == byte_size &&
        parent->section().tags == section_.tags && parent->section().runs == section_.runs &&
        parent->section().units == section_.units && parent->section().packs == section_.packs) {
        done.reused = *parent_ref;
        return done;
    }
    done.bytes = encode_section(section_);
    done.uses = uses(byte_size);
    return done;
}

}  // namespace walden::backup
