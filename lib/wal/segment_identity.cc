#include "wal/segment_identity.h"

#include "base/format.h"

namespace walden::wal {

std::string_view to_string(IdentityProblem problem) {
    switch (problem) {
        case IdentityProblem::unreadable_header: return "unreadable header";
        case IdentityProblem::system_identifier: return "system identifier";
        case IdentityProblem::major_version: return "major version";
        case IdentityProblem::segment_size: return "segment size";
        case IdentityProblem::file_size: return "file size";
        case IdentityProblem::page_address: return "page address";
        case IdentityProblem::timeline: return "timeline";
    }
    return "unknown";
}

ErrorKind error_kind(IdentityProblem problem) {
    switch (problem) {
        case IdentityProblem::unreadable_header:
        case IdentityProblem::file_size: return ErrorKind::corrupt;
        case IdentityProblem::system_identifier:
        case IdentityProblem::major_version:
        case IdentityProblem::segment_size:
        case IdentityProblem::page_address:
        case IdentityProblem::timeline: return ErrorKind::foreign;
    }
    return ErrorKind::corrupt;
}

std::optional<IdentityMismatch> check_segment_identity(ByteView head, std::uint64_t file_size,
                                                       const ExpectedIdentity& expected) {
    const SegmentHeaderResult parsed = parse_segment_header(head);
    if (!parsed.header)
        return IdentityMismatch{.problem = IdentityProblem::unreadable_header,
                                .text = parsed.reason};
    const SegmentHeader& header = *parsed.header;

    const auto differs = [](IdentityProblem problem, std::uint64_t wanted, std::uint64_t found,
                            std::string text) {
        return IdentityMismatch{problem, wanted, found, std::move(text)};
    };
    if (expected.system_identifier && header.system_identifier != *expected.system_identifier)
        return differs(IdentityProblem::system_identifier, *expected.system_identifier,
                       header.system_identifier,
                       format("system identifier {} does not match {} of this cluster",
                              header.system_identifier, *expected.system_identifier));
    if (expected.major_version && header.major_version != *expected.major_version)
        return differs(IdentityProblem::major_version, *expected.major_version,
                       header.major_version,
                       format("WAL of PostgreSQL {} instead of {}", header.major_version,
                              *expected.major_version));
    if (header.segment_size != expected.segment_size)
        return differs(IdentityProblem::segment_size, expected.segment_size.bytes(),
                       header.segment_size.bytes(),
                       format("segment size {} in the header instead of {}",
                              header.segment_size.bytes(), expected.segment_size.bytes()));
    if (file_size != expected.segment_size.bytes())
        return differs(
            IdentityProblem::file_size, expected.segment_size.bytes(), file_size,
            format("file size {} instead of {}", file_size, expected.segment_size.bytes()));
    const Lsn address = first_lsn(expected.name, expected.segment_size);
    if (header.page.address != address)
        return differs(IdentityProblem::page_address, address.value, header.page.address.value,
                       format("page address {} instead of {}", to_string(header.page.address),
                              to_string(address)));
    if (header.page.timeline > expected.name.timeline)
        return differs(IdentityProblem::timeline, expected.name.timeline, header.page.timeline,
                       format("timeline {} in the header is newer than {} of the name",
                              header.page.timeline, expected.name.timeline));
    return std::nullopt;
}

}  // namespace walden::wal
