#include "codec/wal/page_chain.h"

namespace walden::codec::wal_codec {

void PageHeaders::store(std::uint32_t page, std::uint32_t remaining, std::byte* to) {
    while (next_change_ < chain_.changes.size() && chain_.changes[next_change_].page <= page) {
        flags_ = chain_.changes[next_change_].flags;
        timeline_ = chain_.changes[next_change_].timeline;
        ++next_change_;
    }
    const bool is_long = page == 0 && chain_.has_long_header;
    auto flags =
        static_cast<std::uint16_t>(flags_ & ~(wal::first_is_continuation | wal::has_long_header));
    if (remaining > 0) flags |= wal::first_is_continuation;
    if (is_long) flags |= wal::has_long_header;
    store_le<std::uint16_t>(to, chain_.magic);
    store_le<std::uint16_t>(to + wal::page_flags_offset, flags);
    store_le<std::uint32_t>(to + wal::page_timeline_offset, timeline_);
    store_le<std::uint64_t>(to + wal::page_address_offset,
                            chain_.address + std::uint64_t{page} * page_size);
    store_le<std::uint32_t>(to + wal::page_remaining_offset, remaining);
    store_le<std::uint32_t>(to + wal::page_padding_offset, 0);
    if (!is_long) return;
    store_le<std::uint64_t>(to + wal::system_identifier_offset, chain_.system_identifier);
    store_le<std::uint32_t>(to + wal::segment_size_offset, chain_.segment_size);
    store_le<std::uint32_t>(to + wal::page_size_offset, page_size);
}

PageChecker::PageChecker(ByteView content) : content_(content) {
    const wal::PageHeader header = wal::load_page_header(content.data());
    chain_.magic = header.magic;
    chain_.has_long_header = (header.flags & wal::has_long_header) != 0;
    chain_.flags = header.flags & wal::backup_block_removable;
    chain_.timeline = header.timeline;
    chain_.address = header.address.value;
    chain_.owed = header.remaining_length;
    flags_ = chain_.flags;
    timeline_ = chain_.timeline;
    if (chain_.has_long_header) {
        chain_.system_identifier =
            load_le<std::uint64_t>(content.data() + wal::system_identifier_offset);
        chain_.segment_size = load_le<std::uint32_t>(content.data() + wal::segment_size_offset);
        if (load_le<std::uint32_t>(content.data() + wal::page_size_offset) != page_size) return;
    }
    constexpr unsigned usual = wal::all_page_flags & ~wal::first_is_overwrite;
    is_first_usual_ =
        header.padding == 0 && (header.flags & ~usual) == 0 && continues(0, chain_.owed);
}

bool PageChecker::accept(std::uint32_t page) {
    const wal::PageHeader header =
        wal::load_page_header(content_.data() + std::size_t{page} * page_size);
    constexpr unsigned usual = wal::first_is_continuation | wal::backup_block_removable;
    if (header.magic != chain_.magic || (header.flags & ~usual) != 0 || header.padding != 0 ||
        header.address.value != chain_.address + std::uint64_t{page} * page_size)
        return false;
    const auto flags = static_cast<std::uint16_t>(header.flags & wal::backup_block_removable);
    if (flags == flags_ && header.timeline == timeline_) return true;
    if (chain_.changes.size() == page_changes_max) return false;
    flags_ = flags;
    timeline_ = header.timeline;
    chain_.changes.push_back({page, flags, header.timeline});
    return true;
}

bool PageChecker::continues(std::uint32_t page, std::uint32_t remaining) const {
    const wal::PageHeader header =
        wal::load_page_header(content_.data() + std::size_t{page} * page_size);
    return header.remaining_length == remaining &&
           ((header.flags & wal::first_is_continuation) != 0) == (remaining > 0);
}

void PageChecker::cut(std::uint32_t page_count) {
    while (!chain_.changes.empty() && chain_.changes.back().page >= page_count)
        chain_.changes.pop_back();
}

}  // namespace walden::codec::wal_codec
