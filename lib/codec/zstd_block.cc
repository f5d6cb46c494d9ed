// The door to libzstd. ZSTD_getCParams is in the part of its interface that only a static library
// offers, which is how it is linked.
#define ZSTD_STATIC_LINKING_ONLY
#include "base/error.h"
#include "base/format.h"
#include "codec/blocks.h"
#include "codec/chunks.h"
#include "codec/pool.h"

#include <zstd.h>
#include <zstd_errors.h>

#include <cassert>
#include <new>
#include <string>

namespace walden::codec {

namespace {

/// About 1 MiB each at level 1, up to 30 MiB at level 19; as many as threads commonly work at once.
constexpr std::size_t idle_contexts_max = 8;

void require(std::size_t result, const char* action) {
    if (ZSTD_isError(result) == 0) return;
    if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation) throw std::bad_alloc();
    throw Error(ErrorKind::corrupt, format("{}: {}", action, ZSTD_getErrorName(result)));
}

struct Compressor {
    Compressor() : context(ZSTD_createCCtx()) {
        if (context == nullptr) throw std::bad_alloc();
    }

    Compressor(const Compressor&) = delete;
    Compressor& operator=(const Compressor&) = delete;

    ~Compressor() { ZSTD_freeCCtx(context); }

    /// See «Parameters of the zstd encoder» in codec/FORMAT.md.
    void set_level(int wanted) {
        if (wanted == level) return;
        level = 0;  // unknown, should one of the calls fail
        const ZSTD_compressionParameters table = ZSTD_getCParams(wanted, block_size, 0);
        set(ZSTD_c_compressionLevel, wanted);
        set(ZSTD_c_windowLog, static_cast<int>(table.windowLog));
        set(ZSTD_c_hashLog, static_cast<int>(table.hashLog));
        set(ZSTD_c_chainLog, static_cast<int>(table.chainLog));
        set(ZSTD_c_searchLog, static_cast<int>(table.searchLog));
        set(ZSTD_c_minMatch, static_cast<int>(table.minMatch));
        set(ZSTD_c_targetLength, static_cast<int>(table.targetLength));
        set(ZSTD_c_strategy, static_cast<int>(table.strategy));
        set(ZSTD_c_enableLongDistanceMatching, ZSTD_ps_disable);
        set(ZSTD_c_contentSizeFlag, 1);
        set(ZSTD_c_checksumFlag, 0);
        set(ZSTD_c_dictIDFlag, 0);
        level = wanted;
    }

    void set(ZSTD_cParameter parameter, int value) {
        require(ZSTD_CCtx_setParameter(context, parameter, value), "set a zstd parameter");
    }

    ZSTD_CCtx* context;
    int level = 0;
};

/// Sets nothing itself: libzstd's own table, which goes by level and size, is right for chunks,
/// which are of all sizes.
struct TextCompressor {
    TextCompressor() : context(ZSTD_createCCtx()) {
        if (context == nullptr) throw std::bad_alloc();
    }

    TextCompressor(const TextCompressor&) = delete;
    TextCompressor& operator=(const TextCompressor&) = delete;

    ~TextCompressor() { ZSTD_freeCCtx(context); }

    ZSTD_CCtx* context;
};

struct Decompressor {
    Decompressor() : context(ZSTD_createDCtx()) {
        if (context == nullptr) throw std::bad_alloc();
        // Whole frames are decoded straight into their destination and allocate no window; the
        // limit is for the day when somebody decodes them as a stream.
        require(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 26), "limit the zstd window");
    }

    Decompressor(const Decompressor&) = delete;
    Decompressor& operator=(const Decompressor&) = delete;

    ~Decompressor() { ZSTD_freeDCtx(context); }

    ZSTD_DCtx* context;
};

std::optional<std::size_t> compress(int level, ByteView plain, MutableByteView out) {
    static Pool<Compressor> pool(idle_contexts_max);
    const auto compressor = pool.lend();
    // A context whose last output did not fit is still inside that frame, and would refuse to
    // change its parameters.
    require(ZSTD_CCtx_reset(compressor->context, ZSTD_reset_session_only), "reset zstd");
    compressor->set_level(level);
    const std::size_t size =
        ZSTD_compress2(compressor->context, out.data(), out.size(), plain.data(), plain.size());
    if (ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall) return std::nullopt;
    require(size, "compress with zstd");
    return size;
}

/// One whole frame of the current format that says it holds `plain_size` bytes. Without this,
/// libzstd would also take several frames, skippable ones, and those of its old formats, whose
/// decoders are not as hardened.
bool is_one_frame(ByteView compressed, std::size_t plain_size) {
    return compressed.size() >= sizeof(std::uint32_t) &&
           load_le<std::uint32_t>(compressed.data()) == ZSTD_MAGICNUMBER &&
           ZSTD_getFrameContentSize(compressed.data(), compressed.size()) == plain_size &&
           ZSTD_findFrameCompressedSize(compressed.data(), compressed.size()) == compressed.size();
}

bool decompress(ByteView compressed, MutableByteView out) {
    if (!is_one_frame(compressed, out.size())) return false;
    static Pool<Decompressor> pool(idle_contexts_max);
    const auto decompressor = pool.lend();
    return ZSTD_decompressDCtx(decompressor->context, out.data(), out.size(), compressed.data(),
                               compressed.size()) == out.size();
}

std::optional<std::size_t> compress_chunk(ByteView plain, MutableByteView out, ChunkKind,
                                          int level) {
    static Pool<TextCompressor> pool(idle_contexts_max);
    const auto compressor = pool.lend();
    const std::size_t size = ZSTD_compressCCtx(compressor->context, out.data(), out.size(),
                                               plain.data(), plain.size(), level);
    if (ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall) return std::nullopt;
    require(size, "compress with zstd");
    return size;
}

}  // namespace

const ChunkCodec& zstd_chunk_codec() {
    static constexpr ChunkCodec codec = {compress_chunk, decompress};
    return codec;
}

BlockCodec zstd_block_codec(int level) {
    assert(level >= zstd_level_min && level <= zstd_level_max);
    return {[level](ByteView plain, MutableByteView out) { return compress(level, plain, out); },
            decompress};
}

}  // namespace walden::codec
