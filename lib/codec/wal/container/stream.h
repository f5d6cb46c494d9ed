// Streams: what a segment is split into, and what it is joined from.
//
// The splitter appends each kind of bytes to a stream of its own; the container makes columns of
// those that consist of rows and compresses them all; the joiner takes the bytes in the same order.
#pragma once

#include "base/bytes.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace walden::codec::wal_codec {

/// Bytes that belong together. While a segment is split they are appended; while it is joined they
/// are taken. clear() keeps the memory, so a stream that is used for segment after segment neither
/// allocates nor faults in its pages again. One thread at a time.
class Stream {
public:
    /// So many bytes behind the end may be read (taking) and written (appending) as well: short
    /// copies move 32 bytes at a time. What they hold there is undefined.
    static constexpr std::size_t slack = 64;

    Stream() = default;

    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    Stream(Stream&& other) noexcept { swap(other); }

    Stream& operator=(Stream&& other) noexcept {
        Stream(std::move(other)).swap(*this);
        return *this;
    }

    ~Stream() = default;

    void clear() {
        size_ = 0;
        taken_ = 0;
        failed_ = false;
    }

    /// Gives the memory back as well.
    void release() { *this = Stream(); }

    /// `size` more bytes at the end, to be filled by the caller. The pointer is good until the next
    /// call; the stream grows geometrically.
    [[nodiscard]] std::byte* extend(std::size_t size) {
        if (size >= capacity_ - size_) grow(size);
        std::byte* const place = begin_ + size_;
        size_ += size;
        return place;
    }

    /// The next `size` bytes, or nullptr if there are not as many; the stream has failed() from
    /// then on, and nothing is left to be taken.
    [[nodiscard]] const std::byte* take(std::size_t size) {
        if (size > size_ - taken_) {
            failed_ = true;
            taken_ = size_;
            return nullptr;
        }
        const std::byte* const place = begin_ + taken_;
        taken_ += size;
        return place;
    }

    /// Makes the stream `size` bytes long, to be filled by the caller and then taken from the
    /// start. The memory is taken at once: check `size` before.
    [[nodiscard]] std::byte* resize(std::size_t size) {
        clear();
        return extend(size);
    }

    /// All bytes, taken or not.
    [[nodiscard]] ByteView bytes() const { return {begin_, size_}; }

    /// The same to be written, by whoever has made the stream that long.
    [[nodiscard]] MutableByteView filled() { return {begin_, size_}; }

    [[nodiscard]] std::size_t size() const { return size_; }

    /// What has not been taken.
    [[nodiscard]] std::size_t remaining() const { return size_ - taken_; }

    [[nodiscard]] bool failed() const { return failed_; }

    /// Bytes of memory held.
    [[nodiscard]] std::size_t capacity() const { return capacity_; }

    void swap(Stream& other) noexcept {
        std::swap(storage_, other.storage_);
        std::swap(begin_, other.begin_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        std::swap(taken_, other.taken_);
        std::swap(failed_, other.failed_);
    }

private:
    /// What an empty stream without memory shows, so that take(0) is a pointer that may be read. It
    /// is never written: extend() takes memory first.
    inline static std::byte nothing_[slack] = {};

    static constexpr std::size_t capacity_min = 256;

    /// Large memory comes in huge pages: all of the last one is ours.
    static std::size_t whole_pages(std::size_t capacity) {
        if (capacity + slack < large_memory_size_min) return capacity;
        return (capacity + slack + large_memory_page_size - 1) / large_memory_page_size *
                   large_memory_page_size -
               slack;
    }

    void grow(std::size_t size) {
        // A new buffer and not resize(): only what is in use is copied.
        const std::size_t capacity =
            whole_pages(std::max({capacity_ * 2, size_ + size + 1, capacity_min}));
        Bytes storage(capacity + slack);
        if (size_ > 0) std::memcpy(storage.data(), begin_, size_);
        storage_ = std::move(storage);
        begin_ = storage_.data();
        capacity_ = capacity;
    }

    Bytes storage_;
    std::byte* begin_ = nothing_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;  ///< without the slack
    std::size_t taken_ = 0;
    bool failed_ = false;
};

/// What a stream holds: for the accounting of walden-bench and the choice of the back end's
/// parameters. Not stored; the decoder does not need it.
enum class StreamClass : std::uint8_t {
    control,      ///< which template, flags: what tells how to take the others
    xid,          ///< transaction ids
    record_rows,  ///< fixed-width parts of records
    record_data,  ///< parts of records of variable length: tuples, keys, main data
    page_rows,    ///< page headers, line pointers, special space
    tuple_rows,   ///< fixed-width parts of tuples in page images and multi-inserts
    tuple_data,   ///< the rest of those tuples
    image,        ///< page images that stay whole: packed by PostgreSQL, or of unknown structure
    edge,         ///< pieces of records cut by the ends of the content, recycled tails
};

inline constexpr std::size_t stream_class_count = 9;

inline constexpr std::uint32_t row_width_max = 2048;

/// One stream and its shape: row_width 0 = plain bytes, otherwise rows of that width (at most
/// row_width_max), and the size of the stream is a multiple of it.
struct StreamSlot {
    Stream* stream = nullptr;
    std::uint32_t row_width = 0;
    StreamClass kind = StreamClass::control;
};

}  // namespace walden::codec::wal_codec
