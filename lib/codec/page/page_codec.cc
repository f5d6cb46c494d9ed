#include "codec/page/page_codec.h"

#include "base/error.h"
#include "base/format.h"
#include "codec/blocks.h"
#include "codec/codec.h"
#include "codec/page/page_unit.h"
#include "codec/pool.h"
#include "codec/wal/container/stream_container.h"

#include <cassert>
#include <utility>

namespace walden::codec {

namespace {

using page_codec::data_page_size;
using page_codec::PageFrame;
using page_codec::UnitModel;
using page_codec::UnitSplitter;

/// As many as threads commonly encode or decode at once.
constexpr std::size_t idle_workspaces_max = 16;

struct Decoder {
    UnitModel model;
    PageFrame frame;
    wal_codec::ContainerWorkspace container;

    void decode(ByteView encoded, MutableByteView plain,
                std::span<const std::uint32_t> block_numbers) {
        wal_codec::ContainerReader reader(encoded, plain.size(), container);
        model.read_directory(reader.directory());
        reader.read_streams(model.slots(), 1);
        page_codec::join_unit(model, block_numbers, plain, frame);
    }
};

struct Encoder {
    UnitModel model;
    UnitSplitter splitter;
    Decoder decoder;
    Bytes directory;
    Bytes encoded;
    Bytes decoded;
};

bool comes_back(Encoder& encoder, ByteView plain, std::span<const std::uint32_t> block_numbers) {
    encoder.decoded.resize(plain.size());
    try {
        encoder.decoder.decode(encoder.encoded, encoder.decoded, block_numbers);
    } catch (const Error&) {
        return false;
    }
    return equal(encoder.decoded, plain);
}

/// Into encoder.encoded. False if that is of no use.
bool encode_unit(Encoder& encoder, ByteView plain, const PageEncodeOptions& options,
                 std::span<const std::uint32_t> block_numbers) {
    if (!encoder.splitter.split(plain, block_numbers, encoder.model)) return false;
    encoder.model.write_directory(encoder.directory);
    const wal_codec::ContainerOptions container{options.backend == PageEncodeOptions::Backend::lz4
                                                    ? wal_codec::BackEnd::lz4
                                                    : wal_codec::BackEnd::zstd,
                                                options.level, 1};
    return wal_codec::write_container(encoder.directory, encoder.model.slots(), plain.size(),
                                      container, encoder.decoder.container, encoder.encoded) &&
           encoder.encoded.size() < plain.size() && comes_back(encoder, plain, block_numbers);
}

void check_level(const PageEncodeOptions& options) {
    if (options.level < zstd_level_min || options.level > zstd_level_max)
        throw Error(ErrorKind::usage, format("compression level {} is outside {} to {}",
                                             options.level, zstd_level_min, zstd_level_max));
}

void check_unit(std::size_t size, std::span<const std::uint32_t> block_numbers, ErrorKind kind) {
    if (size > page_unit_size_max)
        throw Error(kind,
                    format("a page unit of {} bytes is larger than {}", size, page_unit_size_max));
    if (kind == ErrorKind::corrupt && (size == 0 || size % data_page_size != 0))
        throw Error(kind, format("{} bytes are no unit of pages", size));
    const std::size_t pages = size / data_page_size;
    if (!block_numbers.empty() && block_numbers.size() < pages)
        throw Error(ErrorKind::usage, format("{} block numbers are too few for {} pages",
                                             block_numbers.size(), pages));
}

}  // namespace

Encoded encode_pages(ByteView plain, const PageEncodeOptions& options,
                     std::span<const std::uint32_t> block_numbers) {
    check_unit(plain.size(), block_numbers, ErrorKind::usage);
    check_level(options);
    if (options.page_size == data_page_size && !plain.empty() &&
        plain.size() % data_page_size == 0) {
        static Pool<Encoder> encoders(idle_workspaces_max);
        const auto encoder = encoders.lend();
        if (encode_unit(*encoder, plain, options, block_numbers))
            return {CodecId::page, to_bytes(encoder->encoded)};
    }
    EncodeOptions plainly;
    plainly.method =
        options.backend == PageEncodeOptions::Backend::lz4 ? CodecId::lz4 : CodecId::zstd;
    plainly.level = options.level;
    return encode(plain, plainly);
}

void decode_pages(ByteView encoded, MutableByteView plain,
                  std::span<const std::uint32_t> block_numbers) {
    check_unit(plain.size(), block_numbers, ErrorKind::corrupt);
    static Pool<Decoder> decoders(idle_workspaces_max);
    const auto decoder = decoders.lend();
    decoder->decode(encoded, plain, block_numbers);
}

void check_pages(ByteView encoded, std::size_t plain_size) {
    check_unit(plain_size, {}, ErrorKind::corrupt);
    wal_codec::check_container(encoded, plain_size);
}

}  // namespace walden::codec
