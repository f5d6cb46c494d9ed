// Collects pages into units, codes them and puts them into packs.
#pragma once

#include "backup/section_builder.h"
#include "codec/page/page_codec.h"
#include "vault/pack_writer.h"

#include <cstdint>
#include <vector>

namespace walden::backup {

/// What the bytes of a unit are.
enum class UnitContent : std::uint8_t {
    pages,  ///< of relations
    bytes,  ///< of whatever else
};

/// One thread at a time.
class UnitPacker {
public:
    /// `packs` must outlive the object.
    UnitPacker(vault::PackWriter& packs, UnitContent content,
               const codec::PageEncodeOptions& encoding);

    /// Room for `size` bytes, at most vault::unit_size_max, in which pages can be read to be kept.
    /// What was not kept of the room before is gone.
    [[nodiscard]] MutableByteView room(std::size_t size);

    /// Keeps a page, which lies in the last room(), behind those kept before, for `section`, which
    /// must live until the next flush(). Pages are kept in the order in which they lie there.
    void keep(ByteView page, SectionBuilder& section, const crypto::PageTag& tag);

    /// Codes what was kept, and tells the sections where it is.
    void flush();

    [[nodiscard]] std::size_t kept_size() const { return kept_; }

private:
    struct Target {
        SectionBuilder* section = nullptr;
        std::uint32_t unit = 0;  ///< its number there
    };

    [[nodiscard]] codec::Encoded encode() const;

    vault::PackWriter& packs_;
    UnitContent content_;
    codec::PageEncodeOptions encoding_;
    Bytes plain_;
    std::size_t kept_ = 0;  ///< bytes at the beginning of plain_
    std::vector<Target> targets_;
};

}  // namespace walden::backup
