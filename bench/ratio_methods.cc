#include "bench/ratio_methods.h"

#include "base/error.h"
#include "base/format.h"
#include "codec/codec.h"
#include "codec/wal/container/stream_container.h"
#include "codec/wal/segment_split.h"

#include <lz4.h>
#include <zlib.h>
#include <zstd.h>

#include <memory>

namespace walden::bench {

namespace {

[[noreturn]] void fail(std::string_view what) {
    throw Error(ErrorKind::corrupt, format("{} failed", what));
}

void require_sizes(std::size_t found, std::size_t wanted, std::string_view what) {
    if (found != wanted) fail(what);
}

/// Split and container without the proof, which nothing but a benchmark leaves out.
class UnprovenWal {
public:
    UnprovenWal(codec::wal_codec::BackEnd back_end, int level) : options_{back_end, level, 1} {}

    void encode(ByteView plain, Bytes& out) {
        if (splitter_.split(plain) != codec::PlainReason::none ||
            !codec::wal_codec::write_container(splitter_.directory(), splitter_.streams(),
                                               plain.size(), options_, workspace_, out))
            fail("splitting");
    }

private:
    codec::wal_codec::ContainerOptions options_;
    codec::wal_codec::SegmentSplitter splitter_;
    codec::wal_codec::ContainerWorkspace workspace_;
};

RatioMethod wal_method(std::string name, codec::CodecId back_end, int level) {
    const auto kind = back_end == codec::CodecId::lz4 ? codec::wal_codec::BackEnd::lz4
                                                      : codec::wal_codec::BackEnd::zstd;
    const auto unproven = std::make_shared<UnprovenWal>(kind, level);
    const codec::EncodeOptions options{
        .method = codec::CodecId::wal, .level = level, .worker_count = 1, .wal_back_end = back_end};
    return {.name = std::move(name),
            .encode = [unproven](ByteView plain, Bytes& out) { unproven->encode(plain, out); },
            .encode_and_verify =
                [options](ByteView plain, Bytes& out) {
                    codec::Encoded encoded = codec::encode(plain, options);
                    if (encoded.codec != codec::CodecId::wal)
                        fail(format("the WAL codec ({})", to_string(encoded.plain_reason)));
                    out = std::move(encoded.bytes);
                },
            .decode =
                [](ByteView encoded, MutableByteView out) {
                    codec::decode_into(codec::CodecId::wal, encoded, 1, out);
                }};
}

RatioMethod zstd_method(int level) {
    const std::shared_ptr<ZSTD_CCtx> encoder(ZSTD_createCCtx(), ZSTD_freeCCtx);
    const std::shared_ptr<ZSTD_DCtx> decoder(ZSTD_createDCtx(), ZSTD_freeDCtx);
    if (!encoder || !decoder) throw std::bad_alloc();
    return {.name = format("zstd-{}", level),
            .encode =
                [encoder, level](ByteView plain, Bytes& out) {
                    out.resize(ZSTD_compressBound(plain.size()));
                    const std::size_t size = ZSTD_compressCCtx(
                        encoder.get(), out.data(), out.size(), plain.data(), plain.size(), level);
                    if (ZSTD_isError(size) != 0) fail("zstd");
                    out.resize(size);
                },
            .encode_and_verify = {},
            .decode =
                [decoder](ByteView encoded, MutableByteView out) {
                    require_sizes(ZSTD_decompressDCtx(decoder.get(), out.data(), out.size(),
                                                      encoded.data(), encoded.size()),
                                  out.size(), "zstd");
                }};
}

const char* chars(const std::byte* bytes) {
    return reinterpret_cast<const char*>(bytes);
}

char* chars(std::byte* bytes) {
    return reinterpret_cast<char*>(bytes);
}

RatioMethod lz4_method() {
    return {.name = "lz4",
            .encode =
                [](ByteView plain, Bytes& out) {
                    const int plain_size = static_cast<int>(plain.size());
                    out.resize(static_cast<std::size_t>(LZ4_compressBound(plain_size)));
                    const int size = LZ4_compress_default(chars(plain.data()), chars(out.data()),
                                                          plain_size, static_cast<int>(out.size()));
                    if (size <= 0) fail("lz4");
                    out.resize(static_cast<std::size_t>(size));
                },
            .encode_and_verify = {},
            .decode =
                [](ByteView encoded, MutableByteView out) {
                    const int size = LZ4_decompress_safe(chars(encoded.data()), chars(out.data()),
                                                         static_cast<int>(encoded.size()),
                                                         static_cast<int>(out.size()));
                    require_sizes(static_cast<std::size_t>(size), out.size(), "lz4");
                }};
}

const Bytef* gzip_bytes(const std::byte* bytes) {
    return reinterpret_cast<const Bytef*>(bytes);
}

Bytef* gzip_bytes(std::byte* bytes) {
    return reinterpret_cast<Bytef*>(bytes);
}

constexpr int gzip_window_bits = 15 + 16;  // 16 asks for gzip's header instead of zlib's
constexpr int gzip_memory_level = 8;

RatioMethod gzip_method(int level) {
    return {.name = format("gzip-{}", level),
            .encode =
                [level](ByteView plain, Bytes& out) {
                    z_stream stream{};
                    if (deflateInit2(&stream, level, Z_DEFLATED, gzip_window_bits,
                                     gzip_memory_level, Z_DEFAULT_STRATEGY) != Z_OK)
                        fail("gzip");
                    out.resize(deflateBound(&stream, plain.size()));
                    // zlib reads only; its interface is older than const.
                    stream.next_in = const_cast<Bytef*>(gzip_bytes(plain.data()));
                    stream.avail_in = static_cast<uInt>(plain.size());
                    stream.next_out = gzip_bytes(out.data());
                    stream.avail_out = static_cast<uInt>(out.size());
                    const int result = deflate(&stream, Z_FINISH);
                    out.resize(stream.total_out);
                    deflateEnd(&stream);
                    if (result != Z_STREAM_END) fail("gzip");
                },
            .encode_and_verify = {},
            .decode =
                [](ByteView encoded, MutableByteView out) {
                    z_stream stream{};
                    if (inflateInit2(&stream, gzip_window_bits) != Z_OK) fail("gzip");
                    stream.next_in = const_cast<Bytef*>(gzip_bytes(encoded.data()));
                    stream.avail_in = static_cast<uInt>(encoded.size());
                    stream.next_out = gzip_bytes(out.data());
                    stream.avail_out = static_cast<uInt>(out.size());
                    const int result = inflate(&stream, Z_FINISH);
                    const std::size_t size = stream.total_out;
                    inflateEnd(&stream);
                    require_sizes(result == Z_STREAM_END ? size : 0, out.size(), "gzip");
                }};
}

}  // namespace

std::vector<RatioMethod> ratio_methods() {
    return {wal_method("wal-zstd-1", codec::CodecId::zstd, 1),
            wal_method("wal-zstd-3", codec::CodecId::zstd, 3),
            wal_method("wal-lz4", codec::CodecId::lz4, 1),
            zstd_method(1),
            zstd_method(3),
            zstd_method(9),
            lz4_method(),
            gzip_method(6)};
}

}  // namespace walden::bench
