// Property: a name or position that parses prints back to the same text, and one that resolves to a
// segment prints as that segment's name.
#include "property.h"
#include "wal/file_name.h"

#include <string>
#include <string_view>

using namespace walden::wal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto lsn = parse_lsn(text))
        require_property(parse_lsn(to_string(*lsn)) == lsn, "an LSN survives printing");
    const auto name = parse_wal_file_name(text);
    if (!name) return 0;
    require_property(to_string(*name) == text, "a file name prints back");
    for (std::uint64_t bytes = 1 << 20; bytes <= 1 << 30; bytes *= 2) {
        const SegmentSize segment_size = SegmentSize::from_bytes(bytes).value();
        const auto segment = resolve_segment(*name, segment_size);
        if (!segment) continue;
        require_property(to_string(*segment, segment_size) == text.substr(0, 24),
                         "a segment prints back");
        require_property(segment_number_of(first_lsn(*segment, segment_size), segment_size) ==
                             segment->segment_number,
                         "a segment begins in itself");
    }
    return 0;
}
