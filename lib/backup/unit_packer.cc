#include "backup/unit_packer.h"

#include <cassert>
#include <cstring>

namespace walden::backup {

UnitPacker::UnitPacker(vault::PackWriter& packs, UnitContent content,
                       const codec::PageEncodeOptions& encoding)
    : packs_(packs), content_(content), encoding_(encoding), plain_(2 * vault::unit_size_max) {}

codec::Encoded UnitPacker::encode() const {
    const ByteView plain = ByteView(plain_).first(kept_);
    // Without block numbers: a later backup names some of the pages, and its reader would not know
    // the numbers of the others. Two bytes a page are stored for it.
    if (content_ == UnitContent::pages) return codec::encode_pages(plain, encoding_);
    const bool is_zstd = encoding_.backend == codec::PageEncodeOptions::Backend::zstd;
    return codec::encode(plain, {.method = is_zstd ? codec::CodecId::zstd : codec::CodecId::lz4,
                                 .level = encoding_.level});
}

MutableByteView UnitPacker::room(std::size_t size) {
    assert(size <= vault::unit_size_max);
    if (kept_ == vault::unit_size_max) flush();
    return MutableByteView(plain_).subspan(kept_, size);
}

void UnitPacker::keep(ByteView page, SectionBuilder& section, const crypto::PageTag& tag) {
    if (kept_ + page.size() > vault::unit_size_max) flush();
    assert(page.data() >= plain_.data() + kept_);
    if (page.data() != plain_.data() + kept_)
        std::memmove(plain_.data() + kept_, page.data(), page.size());
    if (targets_.empty() || targets_.back().section != &section)
        targets_.push_back({.section = &section, .unit = section.begin_unit()});
    section.add_new(targets_.back().unit, static_cast<std::uint32_t>(kept_), tag);
    kept_ += page.size();
}

void UnitPacker::flush() {
    if (kept_ == 0) return;
    const codec::Encoded encoded = encode();
    const vault::PackWriter::Place place = packs_.add(encoded.bytes);
    const vault::Unit unit{.pack = 0,
                           .offset = place.offset,
                           .stored_size = static_cast<std::uint32_t>(encoded.bytes.size()),
                           .plain_size = static_cast<std::uint32_t>(kept_),
                           .codec = encoded.codec};
    for (const Target& target : targets_) target.section->set_unit(target.unit, place.pack, unit);
    targets_.clear();
    kept_ = 0;
}

}  // namespace walden::backup
