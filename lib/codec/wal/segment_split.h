// A piece of WAL, taken apart: what can be computed again is left out, and what remains is sorted
// into streams of alike bytes. And the way back. The layout of the directory and the streams is in
// codec/wal/FORMAT.md.
#pragma once

#include "base/bytes.h"
#include "codec/codec.h"
#include "codec/wal/stream.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace walden::codec::wal_codec {

/// Why a content is not taken apart. The numbers are not stored with contents.
enum class PlainReason : std::uint8_t {
    none,                ///< it is
    size,                ///< not a whole number of pages, or too few of them
    version,             ///< a page magic of no version that is known
    other_page_size,     ///< WAL pages of another size than 8 KiB
    page_header,         ///< a page header is not what follows from the pages before
    record_header,       ///< a record's length or reserved bytes are impossible
    record_crc,          ///< a record's checksum is wrong
    back_link,           ///< a record does not name the one before
    padding,             ///< bytes between records are not zero
    too_many_templates,  ///< more kinds of records than a content is expected to have
    does_not_come_back,  ///< joined again, the content was another one: a fault of the codec
    saves_nothing,       ///< the plain method makes fewer bytes
};

inline constexpr std::size_t plain_reason_count = 12;

/// "page_header", for counters and messages.
[[nodiscard]] std::string_view to_string(PlainReason reason);

/// Splits contents. Memory of about 2.5 times the largest content is kept from one to the next. One
/// thread at a time.
class SegmentSplitter {
public:
    SegmentSplitter();
    ~SegmentSplitter();
    SegmentSplitter(SegmentSplitter&&) noexcept;
    SegmentSplitter& operator=(SegmentSplitter&&) noexcept;

    /// Splits a whole segment, or a piece of one that begins at a page. Any bytes are fine: they
    /// come back from the joiner, or the result says why they were not taken. Where records end
    /// early (a switch, a torn or recycled rest), the rest is a stream of its own, unless it is
    /// most of the content. directory() and streams() are of the last content that gave `none`.
    [[nodiscard]] PlainReason split(ByteView plain);

    [[nodiscard]] ByteView directory() const;
    [[nodiscard]] std::span<const StreamSlot> streams() const;

private:
    class State;
    std::unique_ptr<State> state_;
};

/// Joins what a splitter has split. Memory is kept as by the splitter. One thread at a time.
///
/// The directory and the streams may be hostile: time and memory are bounded by the plain size and
/// the sizes of both, and what is not as a splitter writes it fails with Error(corrupt). That the
/// bytes are those that were split is for others to prove.
class SegmentJoiner {
public:
    SegmentJoiner();
    ~SegmentJoiner();
    SegmentJoiner(SegmentJoiner&&) noexcept;
    SegmentJoiner& operator=(SegmentJoiner&&) noexcept;

    /// Reads the directory and gives the streams to be filled (Stream::resize) before join(). The
    /// list is good until the next call.
    [[nodiscard]] std::span<const StreamSlot> begin(ByteView directory, std::size_t plain_size);

    /// Joins the streams to the content; `out` is plain_size bytes. `observe` sees its parts in
    /// order. After a failure `out` is undefined.
    void join(MutableByteView out, const DecodeObserver& observe);

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace walden::codec::wal_codec
