// Bytes, views of them, explicit little- and big-endian access, hex.
#pragma once

#include "base/large_memory.h"

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace walden {

using ByteView = std::span<const std::byte>;
using MutableByteView = std::span<std::byte>;

/// An allocator whose elements start uninitialised when no value is given: resize() of a 16 MiB
/// buffer that is about to be overwritten costs nothing instead of 1.3 ms of memset. Large buffers
/// lie in huge pages (base/large_memory.h).
template <class T>
class UninitializedAllocator : public std::allocator<T> {
public:
    template <class U>
    struct rebind {
        using other = UninitializedAllocator<U>;
    };

    using std::allocator<T>::allocator;

    [[nodiscard]] T* allocate(std::size_t count) {
        if (count >= large_memory_size_min / sizeof(T))
            return static_cast<T*>(allocate_large_memory(count, sizeof(T)));
        return std::allocator<T>::allocate(count);
    }

    void deallocate(T* place, std::size_t count) noexcept {
        if (count >= large_memory_size_min / sizeof(T))
            free_large_memory(place, count * sizeof(T));
        else
            std::allocator<T>::deallocate(place, count);
    }

    template <class U>
    void construct(U* place) noexcept {
        ::new (static_cast<void*>(place)) U;
    }

    template <class U, class... Args>
    void construct(U* place, Args&&... args) {
        ::new (static_cast<void*>(place)) U(std::forward<Args>(args)...);
    }
};

/// A growable buffer; new bytes are NOT zero.
using Bytes = std::vector<std::byte, UninitializedAllocator<std::byte>>;

[[nodiscard]] inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

[[nodiscard]] inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// `more` must not lie in `out`. With this allocator, insert() would copy byte by byte.
inline void append(Bytes& out, ByteView more) {
    if (more.empty()) return;
    const std::size_t before = out.size();
    out.resize(before + more.size());
    std::memcpy(out.data() + before, more.data(), more.size());
}

[[nodiscard]] inline Bytes to_bytes(ByteView view) {
    Bytes out;
    append(out, view);
    return out;
}

[[nodiscard]] inline bool equal(ByteView a, ByteView b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

/// Whether all are zero. Comparing the bytes with themselves one step on runs at the speed of
/// memcmp, and stops at the first byte that differs.
[[nodiscard]] inline bool is_zero(ByteView bytes) {
    constexpr std::array<std::byte, 16> zeros{};
    const std::size_t head = std::min(bytes.size(), zeros.size());
    return equal(bytes.first(head), ByteView(zeros).first(head)) &&
           equal(bytes.subspan(head), bytes.first(bytes.size() - head));
}

/// Reads an unsigned little-endian integer; the caller has checked that it lies inside.
template <std::unsigned_integral T>
[[nodiscard]] inline T load_le(const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    if constexpr (std::endian::native == std::endian::big) {
        T swapped = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i)
            swapped = static_cast<T>(swapped << 8 | ((value >> 8 * i) & 0xFF));
        value = swapped;
    }
    return value;
}

template <std::unsigned_integral T>
inline void store_le(std::byte* to, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
        to[i] = static_cast<std::byte>((value >> 8 * i) & 0xFF);
}

template <std::unsigned_integral T>
inline void store_be(std::byte* to, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
        to[sizeof(T) - 1 - i] = static_cast<std::byte>((value >> 8 * i) & 0xFF);
}

/// Lower-case hex, two characters a byte.
[[nodiscard]] std::string to_hex(ByteView bytes);

/// nullopt unless `text` is hex of exactly `out.size()` bytes, either case.
[[nodiscard]] bool parse_hex(std::string_view text, MutableByteView out);

/// Reads a format front to back. After the first read that does not fit, everything returns zero
/// or empty and ok() is false: a parser reads all its fields and asks once.
class ByteReader {
public:
    explicit ByteReader(ByteView bytes) : rest_(bytes) {}

    template <std::unsigned_integral T>
    T read() {
        if (!take_fits(sizeof(T))) return 0;
        const T value = load_le<T>(rest_.data());
        rest_ = rest_.subspan(sizeof(T));
        return value;
    }

    /// A view into the input, valid as long as the input.
    ByteView read_bytes(std::size_t size) {
        if (!take_fits(size)) return {};
        const ByteView taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }

    template <std::size_t N>
    std::array<std::byte, N> read_array() {
        std::array<std::byte, N> out{};
        const ByteView taken = read_bytes(N);
        if (!taken.empty()) std::memcpy(out.data(), taken.data(), N);
        return out;
    }

    /// A u16 length and that many bytes of text.
    std::string read_text() { return std::string(as_text(read_bytes(read<std::uint16_t>()))); }

    [[nodiscard]] bool ok() const { return ok_; }

    [[nodiscard]] std::size_t remaining() const { return rest_.size(); }

private:
    bool take_fits(std::size_t size) {
        if (ok_ && size <= rest_.size()) return true;
        ok_ = false;
        rest_ = {};
        return false;
    }

    ByteView rest_;
    bool ok_ = true;
};

/// Appends fields in little-endian order; the mirror image of ByteReader.
class ByteWriter {
public:
    explicit ByteWriter(Bytes& out) : out_(out) {}

    template <std::unsigned_integral T>
    void write(T value) {
        std::byte field[sizeof(T)];
        store_le(field, value);
        append(out_, field);
    }

    void write_bytes(ByteView bytes) { append(out_, bytes); }

    /// A u16 length and the text, which must be shorter than 64 KiB.
    void write_text(std::string_view text);

private:
    Bytes& out_;
};

}  // namespace walden
