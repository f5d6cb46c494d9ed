// How contents are encoded, and why some are not as was asked for.
#pragma once

#include "codec/codec.h"
#include "vault/entry.h"

#include <cstdint>
#include <map>

namespace walden::catalog {

struct CodecCounts {
    std::uint64_t content_count = 0;
    std::map<codec::CodecId, std::uint64_t> codecs;
    /// Without `none`. What archiving counted as no WAL at all is in here, too: where a segment was
    /// expected, that is worth knowing.
    std::map<codec::PlainReason, std::uint64_t> plain_reasons;

    /// The contents of one file.
    void add(const vault::Entry& entry);
    void add(const CodecCounts& more);
};

}  // namespace walden::catalog
