// Content ids: what "identical" means in the store.
//
//   leaf_i = HMAC-SHA-256(key, 0x00 | u64 i | u32 size_i | plain_i)     256 KiB each, last shorter
//   id     = HMAC-SHA-256(key, 0x01 | u64 total | u32 leaf size | u32 n | leaf_0 ... leaf_n-1)
//
// All integers little endian. A tree, so that leaves are computed in parallel; leaf size is a
// constant of the format, so the id does not depend on codec, level or frame size; no bytes have no
// leaves (n = 0). Index and size in each leaf, and the first byte, keep a leaf from passing for
// another one or for the root. Keyed per
// cluster: whoever reads names in the store cannot test guesses of the content. An unencrypted
// repository uses SHA-256 in place of HMAC-SHA-256.
#pragma once

#include "base/bytes.h"
#include "base/secret.h"

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace walden::crypto {

inline constexpr std::size_t content_id_leaf_size = std::size_t{256} << 10;

struct ContentId {
    std::array<std::byte, 32> bytes{};

    friend auto operator<=>(const ContentId&, const ContentId&) = default;
};

/// 64 lower-case hex digits.
[[nodiscard]] std::string to_string(const ContentId& id);
[[nodiscard]] std::optional<ContentId> parse_content_id(std::string_view hex);

/// The key of a cluster's content ids; nullopt in an unencrypted repository.
using ContentIdKey = std::optional<Secret<32>>;

/// The hash under one key. It remembers the leaves of zeros, of which nearly empty segments
/// consist: whoever hashes many of those is done in a tenth of the time. Safe from several threads.
class ContentIdHash {
public:
    explicit ContentIdHash(const ContentIdKey& key);
    ContentIdHash(ContentIdHash&&) noexcept;
    ContentIdHash& operator=(ContentIdHash&&) noexcept;
    ~ContentIdHash();

    /// Uses up to `worker_count` threads (one per MiB at most: starting a thread costs as much as
    /// hashing 64 KiB). Throws Error(io) if OpenSSL fails.
    [[nodiscard]] ContentId compute(ByteView plain, std::size_t worker_count) const;

private:
    friend class ContentIdBuilder;
    struct State;
    std::unique_ptr<State> state_;
};

/// Computes a content id from parts that come in any order, for bytes that are being made. Throws
/// Error(io) if OpenSSL fails.
class ContentIdBuilder {
public:
    /// `hash` must outlive it.
    ContentIdBuilder(const ContentIdHash& hash, std::size_t plain_size);
    ContentIdBuilder(ContentIdBuilder&&) noexcept;
    ~ContentIdBuilder();

    /// Takes the plain bytes at `offset`, a multiple of the leaf size; they end at another one or
    /// with the content. A part that comes again takes the place of what it was. Safe from several
    /// threads for parts that do not overlap.
    void add(std::size_t offset, ByteView part);

    /// The id, once every byte has been added.
    [[nodiscard]] ContentId finish() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace walden::crypto
