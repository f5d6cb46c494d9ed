#include "vault/container_steps.h"

#include "base/format.h"
#include "vault/container_head.h"

#include <cassert>

namespace walden::vault {

using namespace container;

namespace {

crypto::FrameCipher open_part(const ClusterKeyring& keys, ObjectPlace place, ByteView head) {
    const Header header = parse_header(head);
    require_place(header, keys.repository(), place);
    if (head.size() < header.clear.header_size)
        fail_corrupt(format("object has only {} bytes: truncated", head.size()));
    return open_head(keys, header, head);
}

/// The inverse of object_size_of for what comes behind the head.
std::uint64_t encoded_size_of(std::uint64_t body_size) {
    if (body_size < tail_size) fail_corrupt("object ends in its first bytes: truncated");
    const std::uint64_t frames_size = body_size - tail_size;
    const std::uint64_t frames = (frames_size + sealed_frame_size - 1) / sealed_frame_size;
    if (frames_size < frames * crypto::tag_size ||
        frame_count_of(frames_size - frames * crypto::tag_size) != frames)
        fail_corrupt("object has a size that none has: truncated");
    return frames_size - frames * crypto::tag_size;
}

}  // namespace

ObjectSealer::ObjectSealer(const ClusterKeyring& keys, ObjectPlace place,
                           std::size_t encoded_size_hint)
    : cipher_([&] {
          object_.reserve(sealed_size(keys, place.kind, encoded_size_hint));
          return write_head(keys, place, object_);
      }()),
      frame_begin_(object_.size()) {}

void ObjectSealer::append(ByteView encoded) {
    while (!encoded.empty()) {
        const std::size_t filled = object_.size() - frame_begin_;
        const std::size_t size = std::min(frame_size - filled, encoded.size());
        walden::append(object_, encoded.first(size));
        encoded = encoded.subspan(size);
        encoded_size_ += size;
        if (filled + size == frame_size) seal_frame();
    }
}

void ObjectSealer::seal_frame() {
    const std::size_t size = object_.size() - frame_begin_;
    object_.resize(object_.size() + crypto::tag_size);
    const MutableByteView frame = MutableByteView(object_).subspan(frame_begin_);
    cipher_.seal({.stream = 0, .frame = frame_, .is_last = false}, frame.first(size), frame);
    frame_begin_ = object_.size();
    ++frame_;
}

Bytes ObjectSealer::finish(codec::CodecId codec, std::uint64_t plain_size) && {
    if (object_.size() > frame_begin_) seal_frame();
    write_tail(
        {.codec = codec, .plain_size = plain_size, .encoded_size = encoded_size_, .content_id = {}},
        cipher_, object_);
    return std::move(object_);
}

ObjectPartOpener::ObjectPartOpener(const ClusterKeyring& keys, ObjectPlace place, ByteView head)
    : head_size_(head_size_of(keys, place.kind)), cipher_(open_part(keys, place, head)) {}

ObjectPartOpener::Range ObjectPartOpener::range_of(std::uint64_t offset, std::size_t size) const {
    assert(size > 0);
    const std::uint64_t first = offset / frame_size;
    const std::uint64_t last = (offset + size - 1) / frame_size;
    // One byte more than a whole frame and the tail: only then a full answer says that the last
    // frame is a whole one.
    return {.offset = head_size_ + first * sealed_frame_size,
            .size = (last - first + 1) * sealed_frame_size + tail_size + 1};
}

ByteView ObjectPartOpener::open(std::uint64_t offset, std::size_t size, ByteView read, Bytes& out) {
    const Range range = range_of(offset, size);
    const std::uint64_t first = offset / frame_size;
    const std::uint64_t last = (offset + size - 1) / frame_size;
    std::uint64_t end = (last + 1) * frame_size;  // of what is opened, in encoded bytes
    if (read.size() < range.size)
        end = std::min(end, encoded_size_of(range.offset + read.size() - head_size_));
    if (offset + size > end) fail_corrupt("object ends before the bytes that were asked for");
    out.resize(end - first * frame_size);
    MutableByteView rest(out);
    for (std::uint64_t frame = first; frame <= last; ++frame) {
        const std::size_t frame_bytes = std::min(frame_size, rest.size());
        if (!cipher_.open(
                {.stream = 0, .frame = static_cast<std::uint32_t>(frame), .is_last = false},
                read.first(frame_bytes + crypto::tag_size), rest.first(frame_bytes)))
            fail_corrupt(format("frame {} of the object fails its authentication", frame));
        read = read.subspan(frame_bytes + crypto::tag_size);
        rest = rest.subspan(frame_bytes);
    }
    return ByteView(out).subspan(offset - first * frame_size, size);
}

}  // namespace walden::vault
