// Linear content put back into pages.
#pragma once

#include "base/bytes.h"
#include "codec/types.h"
#include "codec/wal/page_chain.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace walden::codec::wal_codec {

/// Writes the pages of a content as they become complete. One thread at a time.
class PageWriter {
public:
    /// Writes the pages of the linear content at `linear`, `plain_size` bytes, to `out`. That may
    /// be smaller, a multiple of decode_step_size: then it is written round and round, and
    /// `observe`, which is told as codec.h says, is all that sees the parts.
    PageWriter(const PageChain& chain, const std::byte* linear, std::size_t plain_size,
               MutableByteView out, const DecodeObserver& observe);

    /// A record that begins before the next page does, or with it, ends at the linear offset `end`:
    /// the pages that begin inside it owe their part of it.
    void pass(std::uint64_t end) {
        while (next_body_ < end && next_page_ < owed_.size()) {
            owed_[next_page_++] = static_cast<std::uint32_t>(end - next_body_);
            next_body_ += short_body_size;
        }
    }

    /// A record begins at the linear offset `begin`; all before it is final.
    void begin_record(std::uint32_t begin) {
        if (begin < next_body_) return;
        if (begin == next_body_ && next_page_ < owed_.size()) {
            owed_[next_page_++] = 0;
            next_body_ += short_body_size;
        }
        write_pages(begin);
    }

    /// The LSN of the record that has just begun at the linear offset `begin`.
    [[nodiscard]] std::uint64_t lsn_of(std::uint32_t begin) const {
        return chain_.address + begin + chain_.first_header_size() +
               std::uint64_t{next_page_ - 1} * wal::short_page_header_size;
    }

    /// Writes what is left up to the linear offset `end`, and behind it `tail`, or zeros if
    /// `is_tail_zero`. False if the tail has not the size of the rest.
    [[nodiscard]] bool finish(std::uint32_t end, ByteView tail, bool is_tail_zero);

private:
    void write_pages(std::uint32_t end);
    void write_header();
    void write(ByteView bytes);
    void write_zeros(std::size_t size);

    std::byte* place() { return out_.data() + (place_ - out_begin_); }

    void move_on(std::size_t size);

    const PageChain& chain_;
    PageHeaders headers_;
    const std::byte* linear_;
    const std::size_t plain_size_;
    MutableByteView out_;
    std::size_t out_begin_ = 0;  ///< where in the content `out_` begins this time
    const DecodeObserver& observe_;
    std::vector<std::uint32_t> owed_;  ///< by page: what it owes a record begun before
    std::uint32_t next_page_ = 1;      ///< the first whose debt is not known ...
    std::uint32_t next_body_;          ///< ... and where its body begins
    std::uint32_t written_ = 0;        ///< pages
    std::size_t place_ = 0;            ///< in the content: all before it has been written ...
    std::size_t observed_ = 0;         ///< ... and observed up to here
};

}  // namespace walden::codec::wal_codec
