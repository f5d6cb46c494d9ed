// Puts one section together, page by page.
#pragma once

#include "backup/work.h"
#include "vault/backup_map.h"

#include <cstdint>
#include <map>
#include <vector>

namespace walden::backup {

/// What a section of the backup before says of single pages. Pages are asked for in ascending
/// order.
class ParentSection {
public:
    /// `left_packs`: packs whose pages are stored again, so that the pack can go.
    ParentSection(vault::Section section, const vault::SectionShape& shape,
                  const std::vector<vault::PackRef>& left_packs);

    struct Place {
        std::uint32_t unit = 0;
        std::uint32_t plain_offset = 0;
    };

    /// Where `page` lies, of which `size` bytes were read just now; nullopt unless it is there with
    /// that tag and size. A page of zeros is never found: the caller knows those himself.
    [[nodiscard]] std::optional<Place> find(std::uint32_t page, std::uint64_t size,
                                            const crypto::PageTag& tag);

    /// The same for a page that was not read, and is as it was: false where it must be read after
    /// all, because its pack is left. `place` is nullopt for zeros.
    [[nodiscard]] bool has(std::uint32_t page, std::optional<Place>& place);

    [[nodiscard]] const vault::Section& section() const { return section_; }

    [[nodiscard]] const vault::SectionShape& shape() const { return shape_; }

private:
    /// The run that holds `page`.
    const vault::PageRun& seek(std::uint32_t page);

    vault::Section section_;
    vault::SectionShape shape_;
    std::vector<bool> is_left_;  ///< for each unit
    std::size_t run_ = 0;        ///< that holds the page asked for last
    std::uint32_t run_begin_ = 0;
};

/// One thread at a time.
class SectionBuilder {
public:
    explicit SectionBuilder(std::uint32_t page_size) : page_size_(page_size) {}

    SectionBuilder(const SectionBuilder&) = delete;
    SectionBuilder& operator=(const SectionBuilder&) = delete;

    void add_zeros(const crypto::PageTag& tag);

    /// A page that the backup before has.
    void add_known(const ParentSection& parent, const ParentSection::Place& place,
                   const crypto::PageTag& tag);

    /// A unit whose place will be told; the result is its number.
    [[nodiscard]] std::uint32_t begin_unit();

    /// A page that lies `plain_offset` bytes behind the beginning of that unit.
    void add_new(std::uint32_t unit, std::uint32_t plain_offset, const crypto::PageTag& tag);

    /// Tells where a unit is; the pack of `unit` is `pack`.
    void set_unit(std::uint32_t number, const vault::PackRef& pack, const vault::Unit& unit);

    [[nodiscard]] std::uint32_t page_count() const {
        return static_cast<std::uint32_t>(section_.tags.size());
    }

    [[nodiscard]] std::uint64_t known_pages() const { return known_pages_; }

    /// The section of `byte_size` bytes, for which every unit has its place; `parent` is named
    /// where the section is the same.
    [[nodiscard]] DoneSection finish(std::uint64_t byte_size,
                                     const std::optional<ParentSection>& parent,
                                     const vault::SectionRef* parent_ref);

private:
    void add_page(const vault::PageRun& page, const crypto::PageTag& tag);
    /// In the order of the units, so that the same pages give the same section.
    void list_packs();
    [[nodiscard]] std::vector<vault::PackUse> uses(std::uint64_t byte_size) const;

    std::uint32_t page_size_;
    vault::Section section_;
    std::vector<vault::PackRef> unit_packs_;
    std::map<std::uint32_t, std::uint32_t> known_units_;  ///< the parent's number to ours
    std::uint64_t known_pages_ = 0;
};

}  // namespace walden::backup
