// Errors as values, and spoiled bytes.
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <optional>

namespace walden::test {

template <class Body>
std::optional<Error> error_of(const Body& body) {
    try {
        body();
    } catch (const Error& error) {
        return error;
    }
    return std::nullopt;
}

/// nullopt if `body` does not throw.
template <class Body>
std::optional<ErrorKind> kind_of(const Body& body) {
    const auto error = error_of(body);
    if (!error) return std::nullopt;
    return error->kind();
}

/// The message, empty if `body` does not throw.
template <class Body>
std::string message_of(const Body& body) {
    const auto error = error_of(body);
    return error ? error->message() : std::string();
}

inline bool mentions(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

inline Bytes with_bit_flipped(ByteView bytes, std::size_t bit) {
    Bytes flipped = to_bytes(bytes);
    flipped[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    return flipped;
}

}  // namespace walden::test
