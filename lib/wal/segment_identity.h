// Is this file the segment that its name says, of the cluster we archive for? The first page tells,
// in microseconds, before anything is stored or delivered (faults 11, 23, 41, 42).
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "wal/file_name.h"
#include "wal/page_header.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace walden::wal {

struct ExpectedIdentity {
    SegmentName name;
    SegmentSize segment_size{};
    std::optional<std::uint64_t> system_identifier;  ///< none: not known yet, so not compared
    std::optional<std::uint8_t> major_version;       ///< none: not compared
};

/// In the order in which they are checked: what makes the file ours comes before what makes it this
/// segment, so that a message names the deepest cause.
enum class IdentityProblem : std::uint8_t {
    unreadable_header,  ///< zeros, noise, an unknown version, impossible sizes
    system_identifier,
    major_version,
    segment_size,  ///< the header's is not the cluster's
    file_size,     ///< shorter or longer than a segment
    page_address,  ///< another segment number
    timeline,      ///< newer than the name's; pages from before a fork keep an older one
};

[[nodiscard]] std::string_view to_string(IdentityProblem problem);

/// A difference, with both values (0 where there is none) and in words with both values.
struct IdentityMismatch {
    IdentityProblem problem = IdentityProblem::unreadable_header;
    std::uint64_t expected = 0;
    std::uint64_t found = 0;
    std::string text;
};

/// corrupt if the bytes are damaged, foreign if they are sound and belong elsewhere.
[[nodiscard]] ErrorKind error_kind(IdentityProblem problem);

/// Compares a file of `file_size` bytes, of which `head` is the first page or more, with what is
/// expected; nullopt if it is that segment. Records are not looked at: see record_reader.h.
[[nodiscard]] std::optional<IdentityMismatch> check_segment_identity(
    ByteView head, std::uint64_t file_size, const ExpectedIdentity& expected);

/// The same for a whole file.
[[nodiscard]] inline std::optional<IdentityMismatch> check_segment_identity(
    ByteView file, const ExpectedIdentity& expected) {
    return check_segment_identity(file, file.size(), expected);
}

}  // namespace walden::wal
