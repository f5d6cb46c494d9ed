#include "archive/previous_segment.h"

#include "base/error.h"
#include "base/file.h"
#include "wal/page_header.h"
#include "wal/segment_examiner.h"

#include <fcntl.h>

#include <algorithm>

namespace walden::archive {

namespace {

Bytes read_end(const std::string& path, std::size_t segment_size) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));

    struct stat status {};

    if (!file.valid() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
        static_cast<std::uint64_t>(status.st_size) != segment_size)
        return {};
    const std::size_t size = std::min(segment_size, wal::previous_end_size);
    Bytes end = read_range(file.get(), segment_size - size, size, path);
    if (end.size() != size) return {};
    return end;
}

}  // namespace

Bytes read_end_of_previous(const std::string& directory, const wal::SegmentInput& segment) {
    if (segment.bytes.size() < wal::short_page_header_size || segment.name.segment_number == 0)
        return {};
    // Behind a switch the segment begins with pages of the timeline that was left, and the one
    // before bears that timeline's number.
    const wal::PageHeader first_page = wal::load_page_header(segment.bytes.data());
    if (first_page.remaining_length == 0) return {};
    const wal::SegmentName name = {first_page.timeline, segment.name.segment_number - 1};
    try {
        return read_end(directory + "/" + wal::to_string(name, segment.segment_size),
                        segment.segment_size.bytes());
    } catch (const Error&) {
        return {};
    }
}

}  // namespace walden::archive
