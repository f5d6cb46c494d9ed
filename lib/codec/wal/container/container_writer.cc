#include "base/hash.h"
#include "base/parallel.h"
#include "codec/wal/container/columns.h"
#include "codec/wal/container/container_layout.h"
#include "codec/wal/container/container_plan.h"
#include "codec/wal/container/container_workspace.h"
#include "codec/wal/container/stream_container.h"
#include "codec/wal/container/varint.h"

#include <array>
#include <cassert>
#include <cstring>
#include <optional>

namespace walden::codec::wal_codec {

namespace {

/// Shorter chunks are packed together: on its own, a frame costs more than it saves.
constexpr std::size_t small_chunk_max = 699;

/// What compression must save to be worth the time that decompression takes: 1/64.
std::size_t compressed_size_max(std::size_t plain_size) {
    return plain_size - plain_size / 64 - 1;
}

/// Comparing the bytes with themselves one step on stops at the first that differs.
bool is_constant(ByteView bytes) {
    return std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

/// 512 bytes spread over the chunk have more than 7.4 bits each: random bytes show about 7.6 in
/// such a sample. Compressing them would take its time and save nothing.
bool looks_random(ByteView bytes, ByteEntropy& entropy) {
    if (bytes.size() < 2 * entropy_sample_max) return false;
    std::array<std::uint8_t, entropy_sample_max> sample;
    const std::size_t step = bytes.size() / sample.size();
    for (std::size_t i = 0; i < sample.size(); ++i)
        sample.data()[i] = static_cast<std::uint8_t>(bytes.data()[i * step]);
    return entropy.cost(sample.data(), sample.size()) > entropy_sample_max * cost_per_bit * 74 / 10;
}

class TaskWriter {
public:
    TaskWriter(const ContainerOptions& options, Arena& arena)
        : options_(options), arena_(arena), out_{arena.plan, arena.small, arena.bodies} {}

    void write_stream_chunk(ByteView stream, std::size_t offset, std::size_t size) {
        if (offset == 0) append_varint(out_.plan, stream.size());
        if (size > 0) write(stream.subspan(offset, size), ChunkKind::text);
    }

    void write_table(ByteView rows, std::size_t row_width) {
        const std::size_t row_count = rows.size() / row_width;
        append_varint(out_.plan, row_count);
        if (row_count == 0) return;
        if (row_count < column_rows_min) {
            write_table_plan(out_, {TableForm::rows, {}, nullptr});
            write_chunks(rows, ChunkKind::text);
            return;
        }
        arena_.chooser.choose(rows, row_width, arena_.model);
        write_table_plan(out_, {TableForm::columns, rows.first(row_width), &arena_.model});
        const std::size_t plane_count = arena_.model.plane_count();
        arena_.planes.resize(plane_count * row_count);
        split_rows(rows, row_width, arena_.model, arena_.planes);
        for (std::size_t i = 0; i < plane_count; ++i)
            write_chunks(ByteView(arena_.planes).subspan(i * row_count, row_count),
                         ChunkKind::plane);
    }

private:
    void write_chunks(ByteView bytes, ChunkKind kind) {
        for_each_chunk(bytes.size(), [&](std::size_t offset, std::size_t size) {
            write(bytes.subspan(offset, size), kind);
        });
    }

    void write(ByteView plain, ChunkKind kind) {
        write_chunk(out_, plain.size(), store(plain, kind));
    }

    Chunk store(ByteView plain, ChunkKind kind) {
        if (plain.size() < chunk_with_method_min) return {ChunkMethod::small, {}, plain};
        if (is_constant(plain)) return {ChunkMethod::constant, plain[0], {}};
        if (plain.size() <= small_chunk_max) return {ChunkMethod::small, {}, plain};
        if (!looks_random(plain, arena_.entropy)) {
            arena_.compressed.resize(compressed_size_max(plain.size()));
            const auto size = chunk_codec(options_.back_end)
                                  .compress(plain, arena_.compressed, kind, options_.level);
            if (size)
                return {ChunkMethod::compressed, {}, ByteView(arena_.compressed).first(*size)};
        }
        return {ChunkMethod::raw, {}, plain};
    }

    const ContainerOptions& options_;
    Arena& arena_;
    PlanWriter out_;
};

void make_tasks(std::span<const StreamSlot> slots, std::vector<WriteTask>& tasks) {
    tasks.clear();
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const std::size_t size = slots[i].stream->size();
        WriteTask task;
        task.slot = i;
        if (slots[i].row_width > 0 || size == 0) {
            assert(slots[i].row_width <= row_width_max);
            assert(slots[i].row_width == 0 || size % slots[i].row_width == 0);
            task.size = size;
            tasks.push_back(task);
            continue;
        }
        for_each_chunk(size, [&](std::size_t offset, std::size_t chunk_size) {
            task.offset = offset;
            task.size = chunk_size;
            tasks.push_back(task);
        });
    }
}

void run_task(WriteTask& task, const StreamSlot& slot, const ContainerOptions& options,
              Arena& arena) {
    task.arena = &arena;
    task.plan_begin = arena.plan.size();
    task.small_begin = arena.small.size();
    task.body_begin = arena.bodies.size();
    TaskWriter writer(options, arena);
    if (slot.row_width > 0)
        writer.write_table(slot.stream->bytes(), slot.row_width);
    else
        writer.write_stream_chunk(slot.stream->bytes(), task.offset, task.size);
    task.plan_size = arena.plan.size() - task.plan_begin;
    task.small_size = arena.small.size() - task.small_begin;
    task.body_size = arena.bodies.size() - task.body_begin;
}

/// `plain` compressed into `buffer`, or itself.
ByteView store_section(ByteView plain, const ContainerOptions& options, Bytes& buffer) {
    if (plain.empty()) return plain;
    buffer.resize(plain.size() - 1);
    const auto size =
        chunk_codec(options.back_end).compress(plain, buffer, ChunkKind::text, options.level);
    return size ? ByteView(buffer).first(*size) : plain;
}

void assemble(std::size_t plain_size, const ContainerOptions& options,
              const ContainerWorkspace::State& state,
              const std::array<ByteView, section_count>& plain,
              const std::array<ByteView, section_count>& stored, Bytes& out) {
    std::size_t size = header_size;
    for (const ByteView section : stored) size += section.size();
    for (const WriteTask& task : state.write_tasks) size += task.body_size;
    out.clear();
    out.reserve(size);
    ByteWriter writer(out);
    writer.write(container_version);
    writer.write<std::uint64_t>(0);
    writer.write(static_cast<std::uint8_t>(options.back_end));
    writer.write(static_cast<std::uint32_t>(plain_size));
    for (std::size_t i = 0; i < section_count; ++i) {
        writer.write(static_cast<std::uint32_t>(plain[i].size()));
        writer.write(static_cast<std::uint32_t>(stored[i].size()));
    }
    for (const ByteView section : stored) writer.write_bytes(section);
    for (const WriteTask& task : state.write_tasks)
        writer.write_bytes(ByteView(task.arena->bodies).subspan(task.body_begin, task.body_size));
    store_le(out.data() + hash_offset, xxh3_64(ByteView(out).subspan(hashed_offset)));
}

void count_shares(std::span<const StreamSlot> slots, const ContainerWorkspace::State& state,
                  const std::array<ByteView, section_count>& stored, ContainerShares& shares) {
    for (const WriteTask& task : state.write_tasks) {
        const auto kind = static_cast<std::size_t>(slots[task.slot].kind);
        shares.plain[kind] += task.size;
        shares.stored[kind] += task.body_size;
    }
    shares.directories += stored[0].size() + stored[1].size();
    shares.small_chunks += stored[2].size();
}

}  // namespace

ContainerWorkspace::ContainerWorkspace() : state_(std::make_unique<State>()) {}

ContainerWorkspace::~ContainerWorkspace() = default;

bool write_container(ByteView directory, std::span<const StreamSlot> slots, std::size_t plain_size,
                     const ContainerOptions& options, ContainerWorkspace& workspace, Bytes& out,
                     ContainerShares* shares) {
    std::size_t total = directory.size();
    for (const StreamSlot& slot : slots) total += slot.stream->size();
    if (total > stream_total_max(plain_size)) return false;

    ContainerWorkspace::State& state = workspace.state();
    state.arenas.for_each([](Arena& arena) {
        arena.plan.clear();
        arena.small.clear();
        arena.bodies.clear();
    });
    make_tasks(slots, state.write_tasks);
    for_each_in_parallel(state.write_tasks, options.worker_count, [&](WriteTask& task) {
        state.arenas.with_arena(
            [&](Arena& arena) { run_task(task, slots[task.slot], options, arena); });
    });
    state.plan.clear();
    state.small.clear();
    for (const WriteTask& task : state.write_tasks) {
        append(state.plan, ByteView(task.arena->plan).subspan(task.plan_begin, task.plan_size));
        append(state.small, ByteView(task.arena->small).subspan(task.small_begin, task.small_size));
    }
    if (state.plan.size() > stream_total_max(plain_size)) return false;
    const std::array<ByteView, section_count> plain = {directory, state.plan, state.small};
    std::array<ByteView, section_count> stored;
    for (std::size_t i = 0; i < section_count; ++i)
        stored[i] = store_section(plain[i], options, state.compressed[i]);
    assemble(plain_size, options, state, plain, stored, out);
    if (shares != nullptr) count_shares(slots, state, stored, *shares);
    return true;
}

}  // namespace walden::codec::wal_codec
