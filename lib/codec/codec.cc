#include "codec/codec.h"

#include "base/error.h"
#include "base/format.h"
#include "base/parallel.h"
#include "codec/blocks.h"
#include "codec/page/page_codec.h"
#include "codec/wal/wal_codec.h"

#include <algorithm>
#include <cstring>
#include <optional>
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

void check_level(const EncodeOptions& options) {
    if (options.level < zstd_level_min || options.level > zstd_level_max)
        throw Error(ErrorKind::usage, format("compression level {} is outside {} to {}",
                                             options.level, zstd_level_min, zstd_level_max));
}

BlockCodec encoder_of(const EncodeOptions& options) {
    if (options.method == CodecId::lz4) return lz4_block_codec();
    check_level(options);
    return zstd_block_codec(options.level);
}

Encoded encode_by_blocks(ByteView plain, const EncodeOptions& options) {
    Bytes encoded = encode_blocks(plain, encoder_of(options), options.worker_count);
    if (encoded.size() >= plain.size()) return {CodecId::none, to_bytes(plain)};
    return {options.method, std::move(encoded)};
}

Encoded encode_as_wal(ByteView plain, const EncodeOptions& options) {
    wal_codec::ContainerOptions container{wal_codec::BackEnd::lz4, options.level,
                                          options.worker_count};
    if (options.wal_back_end == CodecId::zstd) {
        check_level(options);
        container.back_end = wal_codec::BackEnd::zstd;
    } else if (options.wal_back_end != CodecId::lz4) {
        fail_unknown(options.wal_back_end);
    }
    wal_codec::WalEncoded wal = wal_codec::encode_wal(plain, container);
    if (wal.reason == PlainReason::none) return {CodecId::wal, std::move(wal.bytes)};
    EncodeOptions plainly = options;
    plainly.method = options.wal_back_end;
    Encoded encoded = encode_by_blocks(plain, plainly);
    encoded.plain_reason = wal.reason;
    return encoded;
}

/// Of the methods that work by blocks; nullopt for `none`.
std::optional<BlockCodec> decoder_of(CodecId id) {
    switch (id) {
        case CodecId::none: return std::nullopt;
        case CodecId::zstd: return zstd_block_codec(zstd_level_min);
        case CodecId::lz4: return lz4_block_codec();
        case CodecId::zero_tail:
        case CodecId::wal:
        case CodecId::page: break;
    }
    fail_unknown(id);
}

void check_plain(ByteView encoded, std::size_t plain_size) {
    if (encoded.size() != plain_size)
        throw Error(ErrorKind::corrupt, format("{} bytes of plain content where {} were expected",
                                               encoded.size(), plain_size));
}

/// Before memory is taken: what ten bytes announce must not decide how much.
void check(CodecId codec, ByteView encoded, std::size_t plain_size) {
    check_size(plain_size, ErrorKind::corrupt);
    if (codec == CodecId::wal)
        wal_codec::check_wal(encoded, plain_size);
    else if (codec == CodecId::page)
        check_pages(encoded, plain_size);
    else if (decoder_of(codec))
        check_blocks(encoded, plain_size);
    else
        check_plain(encoded, plain_size);
}

void observe_by_steps(ByteView plain, const DecodeObserver& observe) {
    for (std::size_t offset = 0; offset < plain.size(); offset += decode_step_size)
        observe(offset, plain.subspan(offset, std::min(decode_step_size, plain.size() - offset)));
}

}  // namespace

std::string_view to_string(CodecId id) {
    switch (id) {
        case CodecId::none: return "none";
        case CodecId::zstd: return "zstd";
        case CodecId::lz4: return "lz4";
        case CodecId::zero_tail: return "zero_tail";
        case CodecId::wal: return "wal";
        case CodecId::page: return "page";
    }
    return "unknown";
}

Encoded encode(ByteView plain, const EncodeOptions& options) {
    check_size(plain.size(), ErrorKind::usage);
    switch (options.method) {
        case CodecId::none: return {CodecId::none, to_bytes(plain)};
        case CodecId::zstd:
        case CodecId::lz4: return encode_by_blocks(plain, options);
        case CodecId::wal: return encode_as_wal(plain, options);
        case CodecId::zero_tail:
        case CodecId::page: break;
    }
    fail_unknown(options.method);
}

void decode(CodecId codec, ByteView encoded, std::size_t plain_size, std::size_t worker_count,
            Bytes& out) {
    check(codec, encoded, plain_size);
    out.resize(plain_size);
    decode_into(codec, encoded, worker_count, out);
}

void decode_into(CodecId codec, ByteView encoded, std::size_t worker_count, MutableByteView out,
                 const DecodeObserver& observe) {
    check_size(out.size(), ErrorKind::corrupt);
    if (codec == CodecId::wal)
        return wal_codec::decode_wal_into(encoded, worker_count, out, observe);
    if (codec == CodecId::page) {
        decode_pages(encoded, out);
        return observe_by_steps(out, observe);
    }
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

void decode_unit(CodecId codec, ByteView encoded, MutableByteView plain,
                 std::span<const std::uint32_t> block_numbers) {
    if (codec == CodecId::page) return decode_pages(encoded, plain, block_numbers);
    decode_into(codec, encoded, 1, plain);
}

void show(CodecId codec, ByteView encoded, std::size_t plain_size, std::size_t worker_count,
          const DecodeObserver& observe) {
    check_size(plain_size, ErrorKind::corrupt);
    if (codec == CodecId::wal)
        return wal_codec::show_wal(encoded, plain_size, worker_count, observe);
    Bytes plain;
    check(codec, encoded, plain_size);
    plain.resize(plain_size);
    decode_into(codec, encoded, worker_count, plain, observe);
}

}  // namespace walden::codec
