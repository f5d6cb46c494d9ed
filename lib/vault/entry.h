// Entries: the small objects that give content a name and facts (FORMAT.md, section 4).
#pragma once

#include "base/bytes.h"
#include "codec/codec.h"
#include "crypto/content_id.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::vault {

enum class FileKind : std::uint8_t { segment = 1, partial = 2, history = 3, backup_label = 4 };

[[nodiscard]] std::string_view to_string(FileKind kind);

using InstanceId = std::array<std::byte, 16>;

/// One content of a file: at most piece_size_max plain bytes.
struct Piece {
    crypto::ContentId content_id;
    std::uint64_t plain_size = 0;
    std::uint64_t stored_size = 0;  ///< bytes of the container, in the store or inlined
    codec::CodecId codec = codec::CodecId::none;
    /// Why it is not in the form that was asked for. Only told, never needed: a number that is not
    /// known is from a later version.
    codec::PlainReason plain_reason = codec::PlainReason::none;

    friend bool operator==(const Piece&, const Piece&) = default;
};

inline constexpr std::size_t piece_size_max = std::size_t{32} << 20;
/// PostgreSQL's largest segment. Bounds what a hostile entry can make a reader allocate.
inline constexpr std::uint64_t file_size_max = std::uint64_t{1} << 30;
inline constexpr std::size_t inline_size_max = std::size_t{64} << 10;

/// The file that comes before this one on its timeline, as the store had it at the time.
struct Predecessor {
    std::string file_name;
    crypto::ContentId content_id;

    friend bool operator==(const Predecessor&, const Predecessor&) = default;
};

struct Writer {
    InstanceId instance{};
    std::int64_t time = 0;  ///< Unix seconds; a label, never a safety input
    std::string host;
    std::string version;

    friend bool operator==(const Writer&, const Writer&) = default;
};

struct Entry {
    FileKind kind = FileKind::segment;
    std::string file_name;
    std::uint64_t system_identifier = 0;
    std::uint64_t plain_size = 0;
    crypto::ContentId content_id;  ///< of the whole file
    std::vector<Piece> pieces;
    Bytes inlined;  ///< the container of the only piece, or empty
    std::optional<Predecessor> predecessor;
    Writer writer;
    Bytes facts;             ///< lib/wal/stored_facts.h; empty for what is not a segment
    Bytes block_references;  ///< lib/wal/block_references.h; empty in entries of older versions

    [[nodiscard]] std::uint64_t stored_size() const {
        std::uint64_t sum = 0;
        for (const Piece& piece : pieces) sum += piece.stored_size;
        return sum;
    }

    /// Of the first piece that has one.
    [[nodiscard]] codec::PlainReason plain_reason() const {
        for (const Piece& piece : pieces)
            if (piece.plain_reason != codec::PlainReason::none) return piece.plain_reason;
        return codec::PlainReason::none;
    }

    friend bool operator==(const Entry&, const Entry&) = default;
};

[[nodiscard]] Bytes encode_entry(const Entry& entry);

/// Throws Error(corrupt) for bytes that are not an entry or contradict themselves (sizes that do
/// not add up, a piece or the file over its limit, inlined bytes beside two pieces), Error(usage)
/// for a newer version or a field that must be understood and is not.
[[nodiscard]] Entry decode_entry(ByteView bytes);

}  // namespace walden::vault
