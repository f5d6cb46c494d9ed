// Why a content that was meant for the WAL codec is stored by a plain one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace walden::codec {

/// The numbers are stored in entries: never reused.
enum class PlainReason : std::uint8_t {
    none = 0,                 ///< it is not
    size = 1,                 ///< not a whole number of pages, or too few of them
    version = 2,              ///< a page magic of no version that is known
    other_page_size = 3,      ///< WAL pages of another size than 8 KiB
    page_header = 4,          ///< a page header is not what follows from the pages before
    record_header = 5,        ///< a record's length or reserved bytes are impossible
    record_crc = 6,           ///< a record's checksum is wrong
    back_link = 7,            ///< a record does not name the one before
    padding = 8,              ///< bytes between records are not zero
    too_many_templates = 9,   ///< more kinds of records than a content is expected to have
    does_not_come_back = 10,  ///< joined again, the content was another one: a fault of the codec
    saves_nothing = 11,       ///< the WAL codec would not make it smaller
    not_wal = 12,             ///< a history, a backup label: nobody expected it to be WAL
};

inline constexpr std::size_t plain_reason_count = 13;

/// "page_header", for counters and messages; "unknown" for other numbers.
[[nodiscard]] std::string_view to_string(PlainReason reason);

}  // namespace walden::codec
