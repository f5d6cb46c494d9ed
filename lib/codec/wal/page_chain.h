// The WAL pages of a content: which of their headers' bytes cannot be computed again.
//
// A page header repeats the segment's magic and timeline, counts its address on, and says how much
// of a record begun before is still to come. All of it follows from the first page and from the
// records, except for the rare pages on which a flag or the timeline changes.
//
// Without the headers, the bodies of the pages are one run of bytes in which records lie without a
// gap: the linear content. Offsets in it are called linear; records begin at multiples of 8 there
// as they do in the pages.
#pragma once

#include "base/bytes.h"
#include "wal/page_header.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace walden::codec::wal_codec {

/// The only WAL page size that is taken apart; others are stored by a plain method.
inline constexpr std::uint32_t page_size = wal::default_page_size;
inline constexpr std::uint32_t short_body_size = page_size - wal::short_page_header_size;

/// From `page` on, the header shows other flags and another timeline than the page before.
struct PageChange {
    std::uint32_t page = 0;
    std::uint16_t flags = 0;  ///< without the continuation flag
    std::uint32_t timeline = 0;
};

/// More changes than this are no WAL that a server writes: the flag that pages carry during a base
/// backup changes twice a backup.
inline constexpr std::size_t page_changes_max = 1000;

/// What all page headers of a content follow from, the continuation lengths apart.
struct PageChain {
    std::uint16_t magic = 0;
    std::uint16_t flags =
        0;  ///< of the first page, the continuation flag and the long header's out
    bool has_long_header = false;  ///< the first page; no other page has one
    std::uint32_t timeline = 0;
    std::uint64_t address = 0;            ///< LSN of the first byte
    std::uint64_t system_identifier = 0;  ///< of a long header, as the next
    std::uint32_t segment_size = 0;
    std::uint32_t owed = 0;  ///< bytes that a record begun before the content still has to come
    std::vector<PageChange> changes;  ///< in ascending order of pages

    [[nodiscard]] std::uint32_t first_header_size() const {
        return has_long_header ? wal::long_page_header_size : wal::short_page_header_size;
    }

    /// The linear offset of a page's body.
    [[nodiscard]] std::uint32_t body_of(std::uint32_t page) const {
        return page == 0
                   ? 0
                   : page * short_body_size - (first_header_size() - wal::short_page_header_size);
    }

    [[nodiscard]] std::uint32_t header_size_of(std::uint32_t page) const {
        return page == 0 ? first_header_size() : wal::short_page_header_size;
    }

    /// The page that holds the byte at a linear offset.
    [[nodiscard]] std::uint32_t page_of(std::uint32_t linear) const {
        return (linear + (first_header_size() - wal::short_page_header_size)) / short_body_size;
    }

    /// Where the byte at a linear offset lies in the content; of a page's first body byte.
    [[nodiscard]] std::uint32_t place_of(std::uint32_t linear) const {
        const std::uint32_t page = page_of(linear);
        return page * page_size + header_size_of(page) + (linear - body_of(page));
    }

    /// Where the content goes on that follows the records, the last of which ends at a linear
    /// offset: with the header of a page if they end with a page.
    [[nodiscard]] std::uint32_t place_behind(std::uint32_t linear) const {
        const std::uint32_t page = page_of(linear);
        return page > 0 && body_of(page) == linear ? page * page_size : place_of(linear);
    }

    /// How many pages have a header, records or pieces of them before a linear offset.
    [[nodiscard]] std::uint32_t pages_before(std::uint32_t linear) const {
        return linear == 0 ? 1 : page_of(linear - 1) + 1;
    }

    /// The size of the linear content of `pages` pages.
    [[nodiscard]] std::uint32_t linear_size(std::uint32_t pages) const { return body_of(pages); }
};

/// The headers of the pages in turn. It is asked for each page once, in ascending order.
class PageHeaders {
public:
    explicit PageHeaders(const PageChain& chain)
        : chain_(chain), flags_(chain.flags), timeline_(chain.timeline) {}

    /// Writes the header of `page`, of which `remaining` bytes belong to a record begun before.
    void store(std::uint32_t page, std::uint32_t remaining, std::byte* to);

private:
    const PageChain& chain_;
    std::size_t next_change_ = 0;
    std::uint16_t flags_;
    std::uint32_t timeline_;
};

/// Whether the pages of a content are what page_chain.h says they are, one after the other.
class PageChecker {
public:
    /// Reads the first header. The content has at least one page.
    explicit PageChecker(ByteView content);

    /// False if the first header is not one that the codec can write.
    [[nodiscard]] bool is_first_header_usual() const { return is_first_usual_; }

    /// Whether the header of the next page, which is `page`, is one that the codec can write; notes
    /// its changes. The continuation is checked by continues().
    [[nodiscard]] bool accept(std::uint32_t page);

    /// Whether the header of an accepted page says that `remaining` bytes belong to a record begun
    /// before.
    [[nodiscard]] bool continues(std::uint32_t page, std::uint32_t remaining) const;

    /// Forgets the changes on pages from `page_count` on.
    void cut(std::uint32_t page_count);

    [[nodiscard]] const PageChain& chain() const { return chain_; }

    [[nodiscard]] PageChain& chain() { return chain_; }

private:
    ByteView content_;
    PageChain chain_;
    bool is_first_usual_ = false;
    std::uint16_t flags_ = 0;
    std::uint32_t timeline_ = 0;
};

}  // namespace walden::codec::wal_codec
