// One WAL record: its header, its pieces in the pages, and what walden reads out of it.
//
//   offset size   header (XLogRecord, src/include/access/xlogrecord.h; the same in 13 to 18)
//     0     4     total length, header included
//     4     4     transaction id, 0 for none
//     8     8     LSN of the record before
//    16     1     info: the low 4 bits are flags, the high 4 belong to the resource manager
//    17     1     resource manager
//    18     2     zero
//    20     4     CRC-32C of everything after the header, then of the header's first 20 bytes
//
// Records start at multiples of 8 and go on behind the page header where a page ends. Behind the
// header: block references, then pieces each with an id byte, and the main data last.
#pragma once

#include "base/bytes.h"
#include "wal/lsn.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace walden::wal {

inline constexpr std::uint32_t record_header_size = 24;
inline constexpr std::uint32_t record_xid_offset = 4;
inline constexpr std::uint32_t record_previous_offset = 8;
inline constexpr std::uint32_t record_info_offset = 16;
inline constexpr std::uint32_t record_manager_offset = 17;
inline constexpr std::uint32_t record_padding_offset = 18;
inline constexpr std::uint32_t record_crc_offset = 20;
inline constexpr std::uint32_t record_alignment = 8;

/// The resource managers and kinds of record that walden interprets. The kind is info & 0xF0, for
/// transactions & 0x70.
inline constexpr std::uint8_t xlog_manager = 0;
inline constexpr std::uint8_t transaction_manager = 1;
inline constexpr std::uint8_t storage_manager = 2;
inline constexpr std::uint8_t database_manager = 4;
inline constexpr std::uint8_t tablespace_manager = 5;

enum class XlogKind : std::uint8_t {
    checkpoint_shutdown = 0x00,
    checkpoint_online = 0x10,
    switch_segment = 0x40,
    parameter_change = 0x60,
    full_page_writes_change = 0x80,
    end_of_recovery = 0x90,
    overwrite_continuation = 0xD0,
};

enum class TransactionKind : std::uint8_t {
    commit = 0x00,
    abort = 0x20,
    commit_prepared = 0x30,
    abort_prepared = 0x40,
};

enum class StorageKind : std::uint8_t { create = 0x10, truncate = 0x20 };

struct RecordHeader {
    std::uint32_t total_length = 0;
    std::uint32_t xid = 0;
    Lsn previous;
    std::uint8_t info = 0;
    std::uint8_t resource_manager = 0;
    std::uint32_t crc = 0;
};

/// Reads the header at `at`, of which record_header_size bytes must be readable.
[[nodiscard]] inline RecordHeader load_record_header(const std::byte* at) {
    return {.total_length = load_le<std::uint32_t>(at),
            .xid = load_le<std::uint32_t>(at + record_xid_offset),
            .previous = {load_le<std::uint64_t>(at + record_previous_offset)},
            .info = static_cast<std::uint8_t>(at[record_info_offset]),
            .resource_manager = static_cast<std::uint8_t>(at[record_manager_offset]),
            .crc = load_le<std::uint32_t>(at + record_crc_offset)};
}

[[nodiscard]] constexpr bool is_segment_switch(std::uint8_t resource_manager, std::uint8_t info) {
    return resource_manager == xlog_manager &&
           (info & 0xF0) == static_cast<std::uint8_t>(XlogKind::switch_segment);
}

/// A verified record, as a visitor sees it; views are valid during the call.
struct RecordView {
    Lsn lsn;
    RecordHeader header;
    /// The record's bytes, header first, one piece for each page it lies on. The pieces that lie in
    /// earlier segments are not there: `missing` bytes in front.
    std::span<const ByteView> pieces;
    std::uint32_t missing = 0;
    /// The record's first bytes in one piece, up to record_head_size, those from an earlier segment
    /// included.
    ByteView head;
};

/// Enough for the fixed beginning of the main data of every record that walden interprets: 24
/// header, 3 origin, 5 top-level xid, 5 long main data header, 16 used of the largest struct;
/// rounded up.
inline constexpr std::size_t record_head_size = 64;

/// The main data of a record without block references, as far as it lies in `head`; empty for any
/// other record.
[[nodiscard]] ByteView main_data_of(ByteView head);

/// A record that has not been seen to its end: what must be kept to check the rest when it comes.
/// A value, so that it may be carried from one segment to the next, however long that takes.
struct PartialRecord {
    Lsn start{};                ///< invalid if the record began in a segment that was not read
    std::uint32_t missing = 0;  ///< bytes still to come
    std::uint32_t present = 0;  ///< bytes seen; 0 if `start` is invalid
    std::uint32_t crc = 0;      ///< running CRC-32C over the bytes seen behind the header
    std::array<std::byte, record_head_size> head{};

    /// Begins a record of `total_length` bytes, none of them seen yet.
    [[nodiscard]] static PartialRecord begin(Lsn start, std::uint32_t total_length);

    /// Takes the next bytes, at most `missing`.
    void feed(ByteView piece);

    [[nodiscard]] bool is_known() const { return start.is_valid(); }

    /// nullopt as long as the link has not been seen.
    [[nodiscard]] std::optional<Lsn> previous() const;

    /// The record's CRC by its bytes; all of them must have been fed.
    [[nodiscard]] std::uint32_t computed_crc() const;

    friend bool operator==(const PartialRecord&, const PartialRecord&) = default;
};

}  // namespace walden::wal
