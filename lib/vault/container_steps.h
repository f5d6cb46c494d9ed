// Containers that are not handled as a whole: sealed while their encoded bytes come, and opened in
// parts (FORMAT.md, section 3). What packs need, which are large and of which a reader wants a
// little.
#pragma once

#include "crypto/frame_cipher.h"
#include "vault/container.h"

#include <cstdint>
#include <string>

namespace walden::vault {

/// Seals one object in its only buffer, frame by frame. One thread at a time.
class ObjectSealer {
public:
    /// Takes memory for `encoded_size_hint` encoded bytes; more may come.
    ObjectSealer(const ClusterKeyring& keys, ObjectPlace place, std::size_t encoded_size_hint);

    /// Appends encoded bytes, in all at most what an object can have.
    void append(ByteView encoded);

    [[nodiscard]] std::uint64_t encoded_size() const { return encoded_size_; }

    /// The whole object, as seal_object() makes it of the same bytes. The sealer is of no use
    /// afterwards.
    [[nodiscard]] Bytes finish(codec::CodecId codec, std::uint64_t plain_size) &&;

private:
    void seal_frame();

    Bytes object_;
    crypto::FrameCipher cipher_;
    std::uint64_t encoded_size_ = 0;
    std::size_t frame_begin_ = 0;  ///< of the frame that is being filled, in object_
    std::uint32_t frame_ = 0;
};

/// Opens parts of one object that lies in the store. Immutable but for the cipher: one thread at a
/// time.
class ObjectPartOpener {
public:
    /// What the constructor needs of the object's beginning.
    static constexpr std::size_t head_size_max = 208;

    /// `head`: the first head_size_max bytes of the object. Throws what unseal_object throws.
    ObjectPartOpener(const ClusterKeyring& keys, ObjectPlace place, ByteView head);

    /// Bytes of the object in the store.
    struct Range {
        std::uint64_t offset = 0;
        std::size_t size = 0;
    };

    /// What to read for the encoded bytes [offset, offset + size), which are not none: their frames
    /// and a little more, by which the end of the object is seen without asking for its size.
    [[nodiscard]] Range range_of(std::uint64_t offset, std::size_t size) const;

    /// Opens what was read for range_of(offset, size) into `out` and returns the `size` bytes of
    /// it. Throws Error(corrupt) if a frame fails its authentication, or the object ends before.
    [[nodiscard]] ByteView open(std::uint64_t offset, std::size_t size, ByteView read, Bytes& out);

private:
    std::uint64_t head_size_ = 0;
    crypto::FrameCipher cipher_;
};

}  // namespace walden::vault
