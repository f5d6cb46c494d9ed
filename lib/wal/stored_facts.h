// The facts of a segment as the archive keeps them beside its name, so that questions about WAL
// never read the WAL.
//
//   u16 version = 1 | u8 end (EndReason) | u8 major version | u64 first record | u64 valid end
//   u64 stopped at | u64 records | u64 record bytes | u64 commits | u64 aborts
//   u8 has times: i64 earliest | i64 latest          PostgreSQL's microseconds, zero without
//   u8 has xids: u32 oldest | u32 newest
//   u64 last checkpoint | u64 its redo               zero for none
//   u32 n | n times: u64 lsn | u32 from | u32 to     timeline changes
//   u16 n | reason why the walk ended early
//
// Later versions only append: a reader takes the part that it knows.
#pragma once

#include "base/bytes.h"
#include "wal/record_reader.h"

#include <optional>
#include <string>

namespace walden::wal {

struct StoredFacts {
    EndReason end = EndReason::damaged;
    std::uint8_t major_version = 0;
    Lsn first_record;
    Lsn valid_end;
    Lsn stopped_at;
    std::string reason;
    SegmentFacts facts;

    [[nodiscard]] bool is_damaged() const {
        return end != EndReason::full && end != EndReason::switched;
    }

    friend bool operator==(const StoredFacts&, const StoredFacts&) = default;
};

[[nodiscard]] StoredFacts to_stored_facts(const SegmentReport& report);

[[nodiscard]] Bytes encode_facts(const StoredFacts& facts);

/// nullopt for bytes that are not facts.
[[nodiscard]] std::optional<StoredFacts> decode_facts(ByteView bytes);

/// "2026-11-22 14:32:07.123456+00": as PostgreSQL prints it in UTC, with the year in full.
[[nodiscard]] std::string to_utc_text(Timestamp time);

}  // namespace walden::wal
