#include "codec/blocks.h"

#include "base/error.h"
#include "base/format.h"
#include "base/parallel.h"
#include "codec/pool.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <vector>

namespace walden::codec {

namespace {

constexpr std::uint8_t layout_version = 1;
constexpr std::size_t header_size = 6;
constexpr std::size_t table_entry_size = 4;
constexpr unsigned block_size_log_min = 16;
constexpr unsigned block_size_log_max = 26;

constexpr unsigned kind_shift = 30;
constexpr std::uint32_t stored_size_mask = (std::uint32_t{1} << kind_shift) - 1;

enum class BlockKind : std::uint8_t { zeros = 0, raw = 1, compressed = 2 };

/// One block: where it is in the plain content, and how it is stored.
struct Block {
    std::size_t plain_offset = 0;
    std::size_t plain_size = 0;
    BlockKind kind = BlockKind::zeros;
    ByteView stored;
};

/// Memory of one block's size for the time of one call. Taken again and again, it stays in the
/// cache and costs no page faults.
Pool<Bytes>& scratch_buffers() {
    static constexpr std::size_t idle_buffers_max = 8;
    static Pool<Bytes> buffers(idle_buffers_max);
    return buffers;
}

std::size_t divide_up(std::size_t a, std::size_t b) {
    return a / b + (a % b != 0 ? 1 : 0);
}

[[noreturn]] void fail_corrupt(std::string message) {
    throw Error(ErrorKind::corrupt, std::move(message));
}

std::size_t table_end(std::size_t block_count) {
    return header_size + block_count * table_entry_size;
}

/// A valid size of what a block of this kind and plain size stores.
bool is_stored_size(std::size_t stored_size, BlockKind kind, std::size_t plain_size) {
    switch (kind) {
        case BlockKind::zeros: return stored_size == 0;
        case BlockKind::raw: return stored_size == plain_size;
        case BlockKind::compressed: return stored_size >= 1 && stored_size < plain_size;
    }
    return false;  // the fourth value of the two bits
}

/// The block size that the header announces; throws unless header and table size fit.
std::size_t read_header(ByteReader& reader, std::size_t plain_size) {
    const auto version = reader.read<std::uint8_t>();
    const auto size_log = reader.read<std::uint8_t>();
    const auto block_count = reader.read<std::uint32_t>();
    if (!reader.ok()) fail_corrupt("encoded content ends inside its header");
    if (version > layout_version)
        throw Error(ErrorKind::usage, format("encoded content has layout version {}, newer than {}",
                                             version, layout_version))
            .with_hint("Please upgrade walden.");
    if (version != layout_version || size_log < block_size_log_min || size_log > block_size_log_max)
        fail_corrupt(
            format("encoded content has layout version {} and block size 2^{}", version, size_log));
    const std::size_t size = std::size_t{1} << size_log;
    if (block_count != divide_up(plain_size, size))
        fail_corrupt(format("encoded content has {} blocks where {} bytes of content take {}",
                            block_count, plain_size, divide_up(plain_size, size)));
    if (reader.remaining() < std::uint64_t{block_count} * table_entry_size)
        fail_corrupt("encoded content ends inside its block table");
    return size;
}

/// Header and table, checked against each other and the plain size; in the order of the content.
std::vector<Block> read_blocks(ByteView encoded, std::size_t plain_size) {
    ByteReader reader(encoded);
    const std::size_t size = read_header(reader, plain_size);
    std::vector<Block> blocks(divide_up(plain_size, size));
    ByteReader stored(encoded.subspan(table_end(blocks.size())));
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        Block& block = blocks[i];
        const auto entry = reader.read<std::uint32_t>();
        const std::size_t stored_size = entry & stored_size_mask;
        block.plain_offset = i * size;
        block.plain_size = std::min(size, plain_size - block.plain_offset);
        block.kind = static_cast<BlockKind>(entry >> kind_shift);
        if (!is_stored_size(stored_size, block.kind, block.plain_size))
            fail_corrupt(format("block {} of {} has the invalid table entry {:#010x}", i,
                                blocks.size(), entry));
        block.stored = stored.read_bytes(stored_size);
    }
    if (!stored.ok() || stored.remaining() != 0)
        fail_corrupt(format("the {} stored bytes of encoded content do not match its block table",
                            encoded.size() - table_end(blocks.size())));
    return blocks;
}

bool decode_block(const Block& block, const BlockCodec& codec, MutableByteView out) {
    switch (block.kind) {
        case BlockKind::zeros: std::memset(out.data(), 0, out.size()); return true;
        case BlockKind::raw: std::memcpy(out.data(), block.stored.data(), out.size()); return true;
        case BlockKind::compressed: return codec.decompress(block.stored, out);
    }
    return false;
}

/// Encodes `plain`; what it stores lies in `scratch`, which is as large, or is `plain` itself.
Block encode_block(ByteView plain, const BlockCodec& codec, MutableByteView scratch) {
    Block block;
    block.plain_size = plain.size();
    if (is_zero(plain)) return block;
    // One byte less than plain: what does not save even that is stored raw.
    if (const auto size = codec.compress(plain, scratch.first(plain.size() - 1))) {
        if (!is_stored_size(*size, BlockKind::compressed, plain.size()))
            fail_corrupt(format("the compressor made {} bytes of {}", *size, plain.size()));
        block.kind = BlockKind::compressed;
        block.stored = scratch.first(*size);
        return block;
    }
    block.kind = BlockKind::raw;
    block.stored = plain;
    return block;
}

/// Decodes the block again and compares: compression libraries have had bugs that only the reader
/// noticed, and memory flips bits.
void verify_block(const Block& block, const BlockCodec& codec, ByteView plain) {
    const auto buffer = scratch_buffers().lend();
    buffer->resize(plain.size());
    if (!decode_block(block, codec, *buffer) || !equal(*buffer, plain))
        throw Error(ErrorKind::corrupt,
                    format("the block of {} bytes at offset {} does not decode to what was encoded",
                           block.plain_size, block.plain_offset))
            .with_hint(
                "The compression library or the memory of this machine is faulty. "
                "Nothing was stored.");
}

/// Header, table and stored bytes, one after the other.
Bytes assemble(const std::vector<Block>& blocks) {
    std::size_t size = table_end(blocks.size());
    for (const Block& block : blocks) size += block.stored.size();
    Bytes encoded;
    encoded.reserve(size);
    ByteWriter writer(encoded);
    writer.write(layout_version);
    writer.write(static_cast<std::uint8_t>(block_size_log));
    writer.write(static_cast<std::uint32_t>(blocks.size()));
    for (const Block& block : blocks)
        writer.write(static_cast<std::uint32_t>(
            static_cast<std::uint32_t>(block.kind) << kind_shift | block.stored.size()));
    for (const Block& block : blocks) writer.write_bytes(block.stored);
    return encoded;
}

}  // namespace

Bytes encode_blocks(ByteView plain, const BlockCodec& codec, std::size_t worker_count) {
    std::vector<Block> blocks(divide_up(plain.size(), block_size));
    std::vector<Bytes> compressed(blocks.size());
    for_each_index_in_parallel(blocks.size(), worker_count, [&](std::size_t i) {
        const std::size_t offset = i * block_size;
        const ByteView piece = plain.subspan(offset, std::min(block_size, plain.size() - offset));
        const auto scratch = scratch_buffers().lend();
        scratch->resize(piece.size());
        Block block = encode_block(piece, codec, *scratch);
        block.plain_offset = offset;
        if (block.kind == BlockKind::compressed) {
            compressed[i] = to_bytes(block.stored);
            block.stored = compressed[i];
            verify_block(block, codec, piece);
        }
        blocks[i] = block;
    });
    Bytes encoded = assemble(blocks);
    check_blocks(encoded, plain.size());
    return encoded;
}

void check_blocks(ByteView encoded, std::size_t plain_size) {
    static_cast<void>(read_blocks(encoded, plain_size));
}

void decode_blocks(ByteView encoded, const BlockCodec& codec, std::size_t worker_count,
                   MutableByteView out, const DecodeObserver& observe) {
    const std::vector<Block> blocks = read_blocks(encoded, out.size());
    if (blocks.empty()) return;
    // Blocks may be smaller than what observers take.
    const std::size_t per_step =
        std::max<std::size_t>(1, decode_step_size / blocks.front().plain_size);
    for_each_index_in_parallel(
        divide_up(blocks.size(), per_step), worker_count, [&](std::size_t i) {
            const std::size_t begin = i * per_step;
            const std::size_t end = std::min(begin + per_step, blocks.size());
            for (std::size_t k = begin; k < end; ++k) {
                const Block& block = blocks[k];
                if (!decode_block(block, codec, out.subspan(block.plain_offset, block.plain_size)))
                    fail_corrupt(format("block {} of {} does not decode to {} bytes", k,
                                        blocks.size(), block.plain_size));
            }
            const std::size_t offset = blocks[begin].plain_offset;
            observe(offset, out.subspan(offset, blocks[end - 1].plain_offset +
                                                    blocks[end - 1].plain_size - offset));
        });
}

}  // namespace walden::codec
