// Memory for keys: zeroed when it goes, never printed.
#pragma once

#include "base/bytes.h"

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

namespace walden {

/// Overwrites `size` bytes with zeros in a way the compiler keeps.
void secure_zero(void* memory, std::size_t size) noexcept;

/// N secret bytes. Has no stream operator, no formatter and no comparison on purpose.
template <std::size_t N>
class Secret {
public:
    static constexpr std::size_t size = N;

    Secret() = default;

    /// Copies from a view of exactly N bytes; the caller zeroes the source.
    explicit Secret(std::span<const std::byte, N> from) {
        std::copy(from.begin(), from.end(), bytes_.begin());
    }

    Secret(const Secret&) = default;
    Secret& operator=(const Secret&) = default;

    Secret(Secret&& other) noexcept : bytes_(other.bytes_) { other.clear(); }

    Secret& operator=(Secret&& other) noexcept {
        if (this != &other) {
            bytes_ = other.bytes_;
            other.clear();
        }
        return *this;
    }

    ~Secret() { clear(); }

    [[nodiscard]] ByteView view() const { return bytes_; }

    [[nodiscard]] MutableByteView writable() { return bytes_; }

    void clear() noexcept { secure_zero(bytes_.data(), N); }

private:
    std::array<std::byte, N> bytes_{};
};

/// A secret of any length that others hand out as text: an access key, a token, a password. Has no
/// stream operator, no formatter and no comparison on purpose.
class SecretText {
public:
    SecretText() = default;

    /// Copies; the caller zeroes the source.
    explicit SecretText(std::string_view text) : bytes_(to_bytes(as_bytes(text))) {}

    SecretText(const SecretText&) = default;

    SecretText(SecretText&& other) noexcept : bytes_(std::move(other.bytes_)) {}

    SecretText& operator=(SecretText other) noexcept {
        bytes_.swap(other.bytes_);
        return *this;
    }

    ~SecretText() { secure_zero(bytes_.data(), bytes_.size()); }

    [[nodiscard]] bool empty() const { return bytes_.empty(); }

    /// Valid as long as this is. Whoever copies it makes another secret to take care of.
    [[nodiscard]] std::string_view reveal() const { return as_text(bytes_); }

private:
    Bytes bytes_;
};

/// Zeroes a buffer of plain bytes when the scope ends.
class ZeroOnExit {
public:
    explicit ZeroOnExit(Bytes& bytes) : bytes_(bytes) {}

    ZeroOnExit(const ZeroOnExit&) = delete;
    ZeroOnExit& operator=(const ZeroOnExit&) = delete;

    ~ZeroOnExit() { secure_zero(bytes_.data(), bytes_.size()); }

private:
    Bytes& bytes_;
};

}  // namespace walden
