// SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104), and MD5 where a protocol wants it.
#pragma once

#include "base/bytes.h"

#include <array>
#include <initializer_list>
#include <memory>

namespace walden::crypto {

using Digest = std::array<std::byte, 32>;

/// Where a digest goes. The caller decides whether it is secret.
using DigestSpan = std::span<std::byte, 32>;

[[nodiscard]] Digest sha256(ByteView bytes);

/// SHA-256 of the parts one after the other.
void sha256(std::initializer_list<ByteView> parts, DigestSpan out);

/// MD5 (RFC 1321), for S3 alone: its Content-MD5 header, which some stores demand of a batch
/// delete, and its ETag. It protects against nothing but accidents.
[[nodiscard]] std::array<std::byte, 16> md5(ByteView bytes);

/// HMAC-SHA-256 under one key, whose schedule (two of the hash's compressions) is done once and
/// copied for each message. Safe to use from several threads at once.
class HmacSha256 {
public:
    explicit HmacSha256(ByteView key);
    HmacSha256(HmacSha256&&) noexcept;
    HmacSha256& operator=(HmacSha256&&) noexcept;
    ~HmacSha256();

    /// The code of the parts one after the other. Throws Error(io) if OpenSSL fails.
    void compute(std::initializer_list<ByteView> parts, DigestSpan out) const;

private:
    struct State;
    std::unique_ptr<const State> state_;
};

}  // namespace walden::crypto
