// Log sequence numbers: positions in the stream of WAL bytes.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace walden::wal {

/// A byte position in the WAL of a cluster, counted over all segments. 0 is "none": PostgreSQL
/// never writes a record there (InvalidXLogRecPtr, src/include/access/xlogdefs.h).
struct Lsn {
    std::uint64_t value = 0;

    friend constexpr auto operator<=>(const Lsn&, const Lsn&) = default;

    friend constexpr Lsn operator+(Lsn lsn, std::uint64_t bytes) { return {lsn.value + bytes}; }

    /// Bytes from `b` to `a`, which must not lie before `b`.
    friend constexpr std::uint64_t operator-(Lsn a, Lsn b) { return a.value - b.value; }

    [[nodiscard]] constexpr bool is_valid() const { return value != 0; }
};

/// As PostgreSQL prints it up to version 18: "A/B", upper-case hex without leading zeros.
[[nodiscard]] std::string to_string(Lsn lsn);

/// Inverts to_string; like pg_lsn_in it takes 1 to 8 hex digits of either case on both sides.
/// nullopt for anything else.
[[nodiscard]] std::optional<Lsn> parse_lsn(std::string_view text);

}  // namespace walden::wal
