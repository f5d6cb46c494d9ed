// The door to liblz4.
#include "codec/blocks.h"
#include "codec/chunks.h"
#include "codec/pool.h"

#include <lz4.h>

#include <climits>
#include <cstddef>

namespace walden::codec {

namespace {

/// 16 KiB each.
constexpr std::size_t idle_states_max = 8;

/// The default trade between speed and size of LZ4_compress_fast.
constexpr int acceleration = 1;

struct State {
    LZ4_stream_t stream;
};

const char* chars(ByteView bytes) {
    return reinterpret_cast<const char*>(bytes.data());
}

char* chars(MutableByteView bytes) {
    return reinterpret_cast<char*>(bytes.data());
}

std::optional<std::size_t> compress(ByteView plain, MutableByteView out) {
    static_assert(block_size <= LZ4_MAX_INPUT_SIZE);
    if (plain.size() > LZ4_MAX_INPUT_SIZE || out.size() > INT_MAX) return std::nullopt;
    static Pool<State> pool(idle_states_max);
    const auto state = pool.lend();
    const int size = LZ4_compress_fast_extState(&state->stream, chars(plain), chars(out),
                                                static_cast<int>(plain.size()),
                                                static_cast<int>(out.size()), acceleration);
    if (size <= 0) return std::nullopt;
    return static_cast<std::size_t>(size);
}

bool decompress(ByteView compressed, MutableByteView out) {
    if (compressed.size() > INT_MAX || out.size() > INT_MAX) return false;
    const int size =
        LZ4_decompress_safe(chars(compressed), chars(out), static_cast<int>(compressed.size()),
                            static_cast<int>(out.size()));
    return size >= 0 && static_cast<std::size_t>(size) == out.size();
}

std::optional<std::size_t> compress_chunk(ByteView plain, MutableByteView out, ChunkKind, int) {
    return compress(plain, out);
}

}  // namespace

const ChunkCodec& lz4_chunk_codec() {
    static constexpr ChunkCodec codec = {compress_chunk, decompress};
    return codec;
}

BlockCodec lz4_block_codec() {
    return {compress, decompress};
}

}  // namespace walden::codec
