// A piece of WAL, taken apart: what can be computed again is left out, and what remains is sorted
// into streams of alike bytes. And the way back. The layout of the directory and the streams is in
// codec/wal/FORMAT.md.
#pragma once

#include "base/bytes.h"
#include "codec/plain_reason.h"
#include "codec/types.h"
#include "codec/wal/container/stream.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace walden::codec::wal_codec {

struct SegmentMemory;

/// What a splitter does with the CRCs of records, which a joiner computes again.
enum class RecordCrcs : std::uint8_t {
    checked,  ///< records end before one whose CRC is wrong
    assumed,  ///< they are right, or the content does not come back: faster, if that is seen to
};

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
    [[nodiscard]] PlainReason split(ByteView plain, RecordCrcs crcs = RecordCrcs::checked);

    [[nodiscard]] ByteView directory() const;
    [[nodiscard]] std::span<const StreamSlot> streams() const;

private:
    friend void exchange_memory(SegmentSplitter& splitter, class SegmentJoiner& joiner);

    [[nodiscard]] SegmentMemory& memory();

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

    /// Joins the streams to the content. `out` is plain_size bytes, or a multiple of
    /// decode_step_size through which all parts pass round and round, for whoever only wants to
    /// look at them. `observe` sees the parts in order. After a failure `out` is undefined.
    void join(MutableByteView out, const DecodeObserver& observe);

private:
    friend void exchange_memory(SegmentSplitter& splitter, SegmentJoiner& joiner);

    [[nodiscard]] SegmentMemory& memory();

    class State;
    std::unique_ptr<State> state_;
};

/// Gives each the memory of the other, so that whoever splits and then joins needs it once: both
/// use it alike for the same content. What either of them has handed out is void.
void exchange_memory(SegmentSplitter& splitter, SegmentJoiner& joiner);

}  // namespace walden::codec::wal_codec
