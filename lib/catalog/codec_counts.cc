#include "catalog/codec_counts.h"

namespace walden::catalog {

void CodecCounts::add(const vault::Entry& entry) {
    for (const vault::Piece& piece : entry.pieces) {
        ++content_count;
        ++codecs[piece.codec];
        if (piece.plain_reason != codec::PlainReason::none) ++plain_reasons[piece.plain_reason];
    }
}

void CodecCounts::add(const CodecCounts& more) {
    content_count += more.content_count;
    for (const auto& [codec, count] : more.codecs) codecs[codec] += count;
    for (const auto& [reason, count] : more.plain_reasons) plain_reasons[reason] += count;
}

}  // namespace walden::catalog
