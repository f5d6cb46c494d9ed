// A split content kept in memory: the most trivial container there is, and one that can be damaged.
#pragma once

#include "base/bytes.h"
#include "codec/wal/segment_split.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

namespace walden::test {

struct SplitCopy {
    Bytes directory;
    std::vector<Bytes> streams;
    std::size_t plain_size = 0;

    /// Of the content that was split last, successfully.
    static SplitCopy of(const codec::wal_codec::SegmentSplitter& splitter, std::size_t plain_size) {
        SplitCopy copy{
            .directory = to_bytes(splitter.directory()), .streams = {}, .plain_size = plain_size};
        for (const auto& slot : splitter.streams())
            copy.streams.push_back(to_bytes(slot.stream->bytes()));
        return copy;
    }

    /// Joins the copy. Streams that are not there are empty; those of rows are cut to whole rows,
    /// as a container would have them. Throws what the joiner throws.
    [[nodiscard]] std::vector<std::byte> join(codec::wal_codec::SegmentJoiner& joiner) const {
        const auto slots = joiner.begin(directory, plain_size);
        for (std::size_t i = 0; i < slots.size(); ++i) {
            std::size_t size = i < streams.size() ? streams[i].size() : 0;
            if (slots[i].row_width > 0) size -= size % slots[i].row_width;
            std::byte* const place = slots[i].stream->resize(size);
            if (size > 0) std::memcpy(place, streams[i].data(), size);
        }
        // Not Bytes: what is not written shows up as zeros, the same ones each time.
        std::vector<std::byte> out(plain_size);
        joiner.join(out, [](std::size_t, ByteView) {});
        return out;
    }
};

}  // namespace walden::test
