// How much of each piece of a template's records goes to its rows: the choice of the splitter,
// which the directory tells the joiner.
#pragma once

#include "codec/wal/record/record_template.h"

#include <cstddef>

namespace walden::codec::wal_codec {

/// Sets the prefixes of the template's pieces, by their lengths and, where these vary, by the bytes
/// of the records that were sampled. `linear` is the linear content. The template's count is final.
void choose_prefixes(RecordTemplate& known, const std::byte* linear);

}  // namespace walden::codec::wal_codec
