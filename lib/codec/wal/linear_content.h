// The linear content: page bodies without a gap (page_chain.h), with slack behind them.
#pragma once

#include "base/bytes.h"
#include "codec/wal/container/stream.h"
#include "wal/record.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace walden::codec::wal_codec {

/// Where the record behind one that ends at `end` begins. The linear content is a multiple of 8
/// long, so what lies between is inside of it.
[[nodiscard]] constexpr std::uint32_t padded(std::uint32_t end) {
    return (end + wal::record_alignment - 1) & ~(wal::record_alignment - 1);
}

/// Memory for one, kept from content to content.
class LinearContent {
public:
    /// Makes room for `size` bytes, which are undefined, and Stream::slack more.
    std::byte* reset(std::size_t size) {
        if (bytes_.size() < size + Stream::slack) bytes_ = Bytes(size + Stream::slack);
        std::memset(bytes_.data() + size, 0, Stream::slack);
        return bytes_.data();
    }

    [[nodiscard]] std::byte* data() { return bytes_.data(); }

    void swap(LinearContent& other) noexcept { bytes_.swap(other.bytes_); }

private:
    Bytes bytes_;
};

}  // namespace walden::codec::wal_codec
