#include "base/error.h"
#include "base/format.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "codec/wal/container/columns.h"
#include "codec/wal/container/container_layout.h"
#include "codec/wal/container/container_plan.h"
#include "codec/wal/container/container_workspace.h"
#include "codec/wal/container/stream_container.h"
#include "codec/wal/container/varint.h"

#include <array>
#include <cstring>
#include <utility>

namespace walden::codec::wal_codec {

namespace {

[[noreturn]] void fail_corrupt(std::string message) {
    throw Error(ErrorKind::corrupt, std::move(message));
}

struct Section {
    std::size_t plain_size = 0;
    ByteView stored;
};

void decode_section(const Section& section, BackEnd back_end, Bytes& out) {
    out.resize(section.plain_size);
    if (section.stored.size() == section.plain_size) {
        if (!out.empty()) std::memcpy(out.data(), section.stored.data(), out.size());
        return;
    }
    if (!chunk_codec(back_end).decompress(section.stored, out))
        fail_corrupt(format("a directory of a WAL container does not decode to {} bytes",
                            section.plain_size));
}

/// The header, checked as far as that is possible without decoding.
struct Header {
    BackEnd back_end = BackEnd::zstd;
    std::array<Section, section_count> sections;
    ByteView bodies;
};

/// Version and hash; what is behind them.
ByteView check_envelope(ByteView encoded) {
    ByteReader reader(encoded);
    const auto version = reader.read<std::uint8_t>();
    if (reader.ok() && version > container_version)
        throw Error(ErrorKind::usage, format("WAL container has version {}, newer than {}", version,
                                             container_version))
            .with_hint("Please upgrade walden.");
    if (encoded.size() < header_size || version != container_version)
        fail_corrupt(
            format("{} bytes of version {} are no WAL container", encoded.size(), version));
    const auto hash = reader.read<std::uint64_t>();
    const ByteView hashed = encoded.subspan(hashed_offset);
    if (xxh3_64(hashed) != hash)
        fail_corrupt(format("the hash of a WAL container of {} bytes is wrong", encoded.size()));
    return hashed;
}

Header read_header(ByteView encoded, std::size_t plain_size) {
    ByteReader reader(check_envelope(encoded));
    Header header;
    const auto back_end = reader.read<std::uint8_t>();
    const auto stored_plain_size = reader.read<std::uint32_t>();
    header.back_end = static_cast<BackEnd>(back_end);
    if (header.back_end != BackEnd::zstd && header.back_end != BackEnd::lz4)
        fail_corrupt(format("a WAL container has the unknown back end {}", back_end));
    if (stored_plain_size != plain_size)
        fail_corrupt(format("a WAL container is of {} bytes where {} were expected",
                            stored_plain_size, plain_size));
    std::array<std::size_t, section_count> stored_sizes{};
    for (std::size_t i = 0; i < section_count; ++i) {
        Section& section = header.sections[i];
        section.plain_size = reader.read<std::uint32_t>();
        stored_sizes[i] = reader.read<std::uint32_t>();
        if (section.plain_size > stream_total_max(plain_size) ||
            stored_sizes[i] > section.plain_size)
            fail_corrupt("a directory of a WAL container is too large");
    }
    for (std::size_t i = 0; i < section_count; ++i)
        header.sections[i].stored = reader.read_bytes(stored_sizes[i]);
    if (!reader.ok()) fail_corrupt("a WAL container ends inside its directories");
    header.bodies = reader.read_bytes(reader.remaining());
    return header;
}

/// Reads the chunks of one string of bytes into `out`.
void decode_chunks(PlanReader& at, const ChunkCodec& codec, MutableByteView out) {
    for_each_chunk(out.size(), [&](std::size_t offset, std::size_t size) {
        const MutableByteView target = out.subspan(offset, size);
        const auto chunk = read_chunk(at, size);
        bool is_decoded = chunk.has_value();
        if (is_decoded) {
            switch (chunk->method) {
                case ChunkMethod::raw:
                case ChunkMethod::small:
                    std::memcpy(target.data(), chunk->stored.data(), size);
                    break;
                case ChunkMethod::compressed:
                    is_decoded = codec.decompress(chunk->stored, target);
                    break;
                case ChunkMethod::constant:
                    std::memset(target.data(), std::to_integer<int>(chunk->value), size);
                    break;
            }
        }
        if (!is_decoded) fail_corrupt(format("a chunk of {} bytes does not decode", size));
    });
}

bool skip_chunks(PlanReader& at, std::size_t size) {
    bool is_valid = true;
    for_each_chunk(size, [&](std::size_t, std::size_t chunk_size) {
        is_valid = is_valid && read_chunk(at, chunk_size).has_value();
    });
    return is_valid;
}

/// Goes through the plan once, front to back, and notes where the work of each task begins.
class PlanScanner {
public:
    PlanScanner(PlanReader at, std::size_t total_max, std::vector<ReadTask>& tasks)
        : at_(std::move(at)), room_(total_max), tasks_(tasks) {
        tasks_.clear();
    }

    /// The size of the stream.
    std::size_t scan(std::size_t slot, std::size_t row_width) {
        const std::uint64_t count = read_varint(at_.plan);
        const std::uint64_t unit = row_width > 0 ? row_width : 1;
        if (!at_.ok() || count > room_ / unit)
            fail_corrupt(format("stream {} of a WAL container is too large", slot));
        const auto size = static_cast<std::size_t>(count * unit);
        room_ -= size;
        const bool is_valid =
            row_width > 0 ? scan_table(slot, row_width, size) : scan_stream(slot, size);
        if (!is_valid) fail_corrupt(format("the plan of stream {} is invalid", slot));
        return size;
    }

    void finish() const {
        if (at_.plan.remaining() != 0 || at_.small.remaining() != 0 || at_.bodies.remaining() != 0)
            fail_corrupt("a WAL container has bytes that belong to no stream");
    }

private:
    bool scan_stream(std::size_t slot, std::size_t size) {
        bool is_valid = true;
        for_each_chunk(size, [&](std::size_t offset, std::size_t chunk_size) {
            tasks_.push_back({slot, offset, chunk_size, at_});
            is_valid = is_valid && read_chunk(at_, chunk_size).has_value();
        });
        return is_valid;
    }

    bool scan_table(std::size_t slot, std::size_t row_width, std::size_t size) {
        if (size == 0) return true;
        tasks_.push_back({slot, 0, size, at_});
        TablePlan plan;
        if (!read_table_plan(at_, row_width, plan, model_)) return false;
        if (plan.form == TableForm::rows) return skip_chunks(at_, size);
        const std::size_t row_count = size / row_width;
        if (row_count < column_rows_min) return false;
        const std::size_t plane_count = model_.plane_count();
        for (std::size_t i = 0; i < plane_count; ++i)
            if (!skip_chunks(at_, row_count)) return false;
        return true;
    }

    PlanReader at_;
    std::size_t room_;
    std::vector<ReadTask>& tasks_;
    ColumnModel model_;
};

void run_task(ReadTask& task, const StreamSlot& slot, const ChunkCodec& codec, Arena& arena) {
    const MutableByteView out = slot.stream->filled().subspan(task.offset, task.size);
    if (slot.row_width == 0) return decode_chunks(task.at, codec, out);
    TablePlan plan;
    if (!read_table_plan(task.at, slot.row_width, plan, arena.model))
        fail_corrupt("the plan of a table changed while it was read");
    if (plan.form == TableForm::rows) return decode_chunks(task.at, codec, out);
    const std::size_t row_count = task.size / slot.row_width;
    const std::size_t plane_count = arena.model.plane_count();
    arena.planes.resize(plane_count * row_count);
    for (std::size_t i = 0; i < plane_count; ++i)
        decode_chunks(task.at, codec,
                      MutableByteView(arena.planes).subspan(i * row_count, row_count));
    join_rows(arena.planes, plan.base, arena.model, out);
}

}  // namespace

void check_container(ByteView encoded, std::size_t plain_size) {
    static_cast<void>(read_header(encoded, plain_size));
}

ContainerReader::ContainerReader(ByteView encoded, std::size_t plain_size,
                                 ContainerWorkspace& workspace)
    : plain_size_(plain_size), workspace_(workspace) {
    const Header header = read_header(encoded, plain_size);
    back_end_ = header.back_end;
    bodies_ = header.bodies;
    ContainerWorkspace::State& state = workspace.state();
    decode_section(header.sections[0], back_end_, state.directory);
    decode_section(header.sections[1], back_end_, state.plan);
    decode_section(header.sections[2], back_end_, state.small);
}

ByteView ContainerReader::directory() const {
    return workspace_.state().directory;
}

void ContainerReader::read_streams(std::span<const StreamSlot> slots, std::size_t worker_count) {
    ContainerWorkspace::State& state = workspace_.state();
    PlanScanner scanner({ByteReader(state.plan), ByteReader(state.small), ByteReader(bodies_)},
                        stream_total_max(plain_size_) - state.directory.size(), state.read_tasks);
    std::vector<std::size_t>& sizes = state.stream_sizes;
    sizes.clear();
    for (std::size_t i = 0; i < slots.size(); ++i)
        sizes.push_back(scanner.scan(i, slots[i].row_width));
    scanner.finish();
    for (std::size_t i = 0; i < slots.size(); ++i)
        static_cast<void>(slots[i].stream->resize(sizes[i]));
    const ChunkCodec& codec = chunk_codec(back_end_);
    for_each_in_parallel(state.read_tasks, worker_count, [&](ReadTask& task) {
        state.arenas.with_arena(
            [&](Arena& arena) { run_task(task, slots[task.slot], codec, arena); });
    });
}

}  // namespace walden::codec::wal_codec
