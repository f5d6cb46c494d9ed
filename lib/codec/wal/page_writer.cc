#include "codec/wal/page_writer.h"

#include <algorithm>
#include <cstring>

namespace walden::codec::wal_codec {

PageWriter::PageWriter(const PageChain& chain, const std::byte* linear, MutableByteView out,
                       const DecodeObserver& observe)
    : chain_(chain),
      headers_(chain),
      linear_(linear),
      out_(out),
      observe_(observe),
      owed_(out.size() / page_size),
      next_body_(chain.body_of(1)) {
    owed_.front() = chain.owed;
}

void PageWriter::write_pages(std::uint32_t end) {
    while (written_ < owed_.size() && chain_.body_of(written_ + 1) <= end) {
        std::byte* const page = out_.data() + std::size_t{written_} * page_size;
        headers_.store(written_, owed_[written_], page);
        const std::uint32_t header = chain_.header_size_of(written_);
        std::memcpy(page + header, linear_ + chain_.body_of(written_), page_size - header);
        ++written_;
    }
    observe_to(std::size_t{written_} * page_size / decode_step_size * decode_step_size);
}

bool PageWriter::finish(std::uint32_t end, ByteView tail, bool is_tail_zero) {
    write_pages(end);
    std::size_t place = std::size_t{written_} * page_size;
    if (written_ < owed_.size() && (chain_.body_of(written_) < end || written_ == 0)) {
        headers_.store(written_, owed_[written_], out_.data() + place);
        place += chain_.header_size_of(written_);
        const std::uint32_t body = end - chain_.body_of(written_);
        std::memcpy(out_.data() + place, linear_ + chain_.body_of(written_), body);
        place += body;
    }
    const std::size_t rest = out_.size() - place;
    if (tail.size() != (is_tail_zero ? 0 : rest)) return false;
    if (is_tail_zero)
        std::memset(out_.data() + place, 0, rest);
    else if (rest > 0)
        std::memcpy(out_.data() + place, tail.data(), rest);
    observe_to(out_.size());
    return true;
}

void PageWriter::observe_to(std::size_t place) {
    while (observed_ < place) {
        const std::size_t step = std::min(decode_step_size, out_.size() - observed_);
        observe_(observed_, out_.subspan(observed_, step));
        observed_ += step;
    }
}

}  // namespace walden::codec::wal_codec
