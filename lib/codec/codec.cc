#include "codec/codec.h"

#include "base/error.h"
#include "base/format.h"
#include "base/parallel.h"
#include "codec/blocks.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace walden::codec {

namespace {

void check_size(std::size_t plain_size, ErrorKind kind) {
    if (plain_size > plain_size_max)
        throw Error(kind, format("content of {} bytes is larger than the {} that a codec takes",
                                 plain_size, plain_size_max));
}

[[noreturn]] void fail_unknown(CodecId id) {
    throw Error(ErrorKind::usage, format("unknown codec {}", static_cast<unsigned>(id)))
        .with_hint("Please upgrade walden.");
}

BlockCodec encoder_of(const EncodeOptions& options) {
    if (options.method == CodecId::lz4) return lz4_block_codec();
    if (options.level < zstd_level_min || options.level > zstd_level_max)
        throw Error(ErrorKind::usage, format("compression level {} is outside {} to {}",
                                             options.level, zstd_level_min, zstd_level_max));
    return zstd_block_codec(options.level);
}

/// nullopt for `none`.
std::optional<BlockCodec> decoder_of(CodecId id) {
    switch (id) {
        case CodecId::none: return std::nullopt;
        case CodecId::zstd: return zstd_block_codec(zstd_level_min);
        case CodecId::lz4: return lz4_block_codec();
        case CodecId::zero_tail:
        case CodecId::wal: break;
    }
    fail_unknown(id);
}

void check_plain(ByteView encoded, std::size_t plain_size) {
    if (encoded.size() != plain_size)
        throw Error(ErrorKind::corrupt, format("{} bytes of plain content where {} were expected",
                                               encoded.size(), plain_size));
}

}  // namespace

std::string_view to_string(CodecId id) {
    switch (id) {
        case CodecId::none: return "none";
        case CodecId::zstd: return "zstd";
        case CodecId::lz4: return "lz4";
        case CodecId::zero_tail: return "zero_tail";
        case CodecId::wal: return "wal";
    }
    return "unknown";
}

std::optional<CodecId> parse_codec_method(std::string_view method) {
    for (const CodecId id : {CodecId::none, CodecId::zstd, CodecId::lz4})
        if (method == to_string(id)) return id;
    return std::nullopt;
}

Encoded encode(ByteView plain, const EncodeOptions& options) {
    check_size(plain.size(), ErrorKind::usage);
    switch (options.method) {
        case CodecId::none: break;
        case CodecId::zstd:
        case CodecId::lz4: {
            Bytes encoded = encode_blocks(plain, encoder_of(options), options.worker_count);
            if (encoded.size() < plain.size()) return {options.method, std::move(encoded)};
            break;
        }
        case CodecId::zero_tail:
        case CodecId::wal:
        default: fail_unknown(options.method);
    }
    return {CodecId::none, to_bytes(plain)};
}

void decode(CodecId codec, ByteView encoded, std::size_t plain_size, std::size_t worker_count,
            Bytes& out) {
    // Before the buffer: what ten bytes announce must not decide how much memory is taken.
    check_size(plain_size, ErrorKind::corrupt);
    if (decoder_of(codec))
        check_blocks(encoded, plain_size);
    else
        check_plain(encoded, plain_size);
    out.resize(plain_size);
    decode_into(codec, encoded, worker_count, out);
}

void decode_into(CodecId codec, ByteView encoded, std::size_t worker_count, MutableByteView out,
                 const DecodeObserver& observe) {
    check_size(out.size(), ErrorKind::corrupt);
    if (const auto decoder = decoder_of(codec)) {
        decode_blocks(encoded, *decoder, worker_count, out, observe);
        return;
    }
    check_plain(encoded, out.size());
    for_each_index_in_parallel(
        (out.size() + block_size - 1) / block_size, worker_count, [&](std::size_t i) {
            const std::size_t offset = i * block_size;
            const std::size_t size = std::min(block_size, out.size() - offset);
            const MutableByteView part = out.subspan(offset, size);
            std::memcpy(part.data(), encoded.data() + offset, size);
            observe(offset, part);
        });
}

}  // namespace walden::codec
