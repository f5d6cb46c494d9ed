// Property: a segment header that parses has sizes PostgreSQL allows, and the file it came from is
// the segment it says it is.
#include "property.h"
#include "wal/segment_identity.h"

using namespace walden;
using namespace walden::wal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView file(reinterpret_cast<const std::byte*>(data), size);
    const SegmentHeaderResult result = parse_segment_header(file);
    require_property(result.header.has_value() == result.reason.empty(), "a refusal has a reason");
    if (!result.header) return 0;
    const SegmentHeader& header = *result.header;
    require_property(header.segment_size.bytes() % header.page_size == 0, "pages fill a segment");
    require_property(find_wal_version(header.page.magic) != nullptr, "the version is known");
    const ExpectedIdentity itself = {
        {header.page.timeline, segment_number_of(header.page.address, header.segment_size)},
        header.segment_size,
        header.system_identifier,
        header.major_version};
    const auto mismatch = check_segment_identity(file, itself);
    require_property(
        mismatch.has_value() == (size != header.segment_size.bytes() ||
                                 header.page.address.value % header.segment_size.bytes() != 0),
        "a file is itself unless its size or address is wrong");
    return 0;
}
