#include "codec/wal/page_writer.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace walden::codec::wal_codec {

// Pages do not lie across two steps, so a header or a body is written at once.
static_assert(decode_step_size % page_size == 0);

PageWriter::PageWriter(const PageChain& chain, const std::byte* linear, std::size_t plain_size,
                       MutableByteView out, const DecodeObserver& observe)
    : chain_(chain),
      headers_(chain),
      linear_(linear),
      plain_size_(plain_size),
      out_(out),
      observe_(observe),
      owed_(plain_size / page_size),
      next_body_(chain.body_of(1)) {
    assert(out.size() == plain_size || out.size() % decode_step_size == 0);
    owed_.front() = chain.owed;
}

void PageWriter::write_pages(std::uint32_t end) {
    while (written_ < owed_.size() && chain_.body_of(written_ + 1) <= end) {
        const std::uint32_t page = written_;
        write_header();
        const std::uint32_t body = page_size - chain_.header_size_of(page);
        std::memcpy(place(), linear_ + chain_.body_of(page), body);
        move_on(body);
        ++written_;
    }
}

void PageWriter::write_header() {
    headers_.store(written_, owed_[written_], place());
    move_on(chain_.header_size_of(written_));
}

bool PageWriter::finish(std::uint32_t end, ByteView tail, bool is_tail_zero) {
    write_pages(end);
    if (written_ < owed_.size() && (chain_.body_of(written_) < end || written_ == 0)) {
        write_header();
        const std::uint32_t begin = chain_.body_of(written_);
        write({linear_ + begin, end - begin});
    }
    const std::size_t rest = plain_size_ - place_;
    if (tail.size() != (is_tail_zero ? 0 : rest)) return false;
    if (is_tail_zero)
        write_zeros(rest);
    else
        write(tail);
    if (observed_ < plain_size_)
        observe_(observed_, out_.subspan(observed_ - out_begin_, plain_size_ - observed_));
    return true;
}

void PageWriter::write(ByteView bytes) {
    while (!bytes.empty()) {
        const std::size_t size =
            std::min(bytes.size(), decode_step_size - place_ % decode_step_size);
        std::memcpy(place(), bytes.data(), size);
        move_on(size);
        bytes = bytes.subspan(size);
    }
}

void PageWriter::write_zeros(std::size_t size) {
    while (size > 0) {
        const std::size_t part = std::min(size, decode_step_size - place_ % decode_step_size);
        std::memset(place(), 0, part);
        move_on(part);
        size -= part;
    }
}

void PageWriter::move_on(std::size_t size) {
    place_ += size;
    if (place_ - observed_ < decode_step_size) return;
    observe_(observed_, out_.subspan(observed_ - out_begin_, decode_step_size));
    observed_ = place_;
    if (place_ - out_begin_ == out_.size()) out_begin_ = place_;
}

}  // namespace walden::codec::wal_codec
