// Transaction ids: one byte for nearly all of them.
//
//   code      the record's transaction
//   0         that of the record before (0 before the first)
//   1         none
//   2         the newest one seen, plus 1
//   3 + n     the newest one seen, minus n; n up to 199
//   255       the next of the stream `xids`
//
// Others are not valid. Newest is in the order of wrapping ids; it is 0 until an id was spelled
// out.
#pragma once

#include "codec/wal/container/direction.h"

#include <cstddef>
#include <cstdint>

namespace walden::codec::wal_codec {

template <Direction direction>
class XidPrediction {
public:
    XidPrediction(Stream& codes, Stream& xids) : codes_(codes), xids_(xids) {}

    /// The transaction of the next record. False if the streams end or hold an invalid code.
    [[nodiscard]] bool move(std::uint32_t& xid) {
        if constexpr (direction == Direction::split) {
            write(xid);
        } else {
            if (!read(xid)) return false;
        }
        last_ = xid;
        return true;
    }

private:
    static constexpr std::uint8_t same = 0;
    static constexpr std::uint8_t none = 1;
    static constexpr std::uint8_t next = 2;
    static constexpr std::uint8_t first_distance = 3;
    static constexpr std::uint32_t distances = 200;
    static constexpr std::uint8_t spelled_out = 255;

    void see(std::uint32_t xid) {
        if (newest_ == 0 || static_cast<std::int32_t>(xid - newest_) > 0) newest_ = xid;
    }

    void write(std::uint32_t xid) {
        std::uint8_t code = spelled_out;
        if (xid == last_) {
            code = same;
        } else if (xid == 0) {
            code = none;
        } else if (xid == newest_ + 1) {
            code = next;
            newest_ = xid;
        } else if (newest_ - xid < distances) {
            code = static_cast<std::uint8_t>(first_distance + (newest_ - xid));
        } else {
            store_le<std::uint32_t>(xids_.extend(4), xid);
            see(xid);
        }
        *codes_.extend(1) = static_cast<std::byte>(code);
    }

    bool read(std::uint32_t& xid) {
        const std::byte* const taken = codes_.take(1);
        if (taken == nullptr) return false;
        const auto code = static_cast<std::uint8_t>(*taken);
        if (code == same) {
            xid = last_;
        } else if (code == none) {
            xid = 0;
        } else if (code == next) {
            xid = ++newest_;
        } else if (code < first_distance + distances) {
            xid = newest_ - (code - first_distance);
        } else {
            const std::byte* const spelled = code == spelled_out ? xids_.take(4) : nullptr;
            if (spelled == nullptr) return false;
            xid = load_le<std::uint32_t>(spelled);
            see(xid);
        }
        return true;
    }

    Stream& codes_;
    Stream& xids_;
    std::uint32_t newest_ = 0;
    std::uint32_t last_ = 0;
};

}  // namespace walden::codec::wal_codec
