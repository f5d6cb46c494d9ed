#include "codec/wal/container/container_plan.h"

#include "codec/wal/container/varint.h"

#include <cassert>

namespace walden::codec::wal_codec {

namespace {

constexpr unsigned coding_shift = 4;

std::byte field_code(const Field& field) {
    return static_cast<std::byte>(static_cast<unsigned>(field.coding) << coding_shift |
                                  field.width);
}

bool read_field_code(std::uint8_t code, Field& field) {
    const unsigned coding = code >> coding_shift;
    const unsigned width = code & ((1U << coding_shift) - 1);
    field.width = static_cast<std::uint8_t>(width);
    switch (coding) {
        case static_cast<unsigned>(FieldCoding::raw):
            field.coding = FieldCoding::raw;
            return width == 1;
        case static_cast<unsigned>(FieldCoding::delta):
            field.coding = FieldCoding::delta;
            return width == 1 || width == 2 || width == 4 || width == 8;
        default: return false;
    }
}

}  // namespace

void write_chunk(PlanWriter& writer, std::size_t plain_size, const Chunk& chunk) {
    if (plain_size < chunk_with_method_min) {
        assert(chunk.method == ChunkMethod::small);
    } else {
        writer.plan.push_back(static_cast<std::byte>(chunk.method));
    }
    switch (chunk.method) {
        case ChunkMethod::raw: append(writer.bodies, chunk.stored); break;
        case ChunkMethod::compressed:
            append_varint(writer.plan, chunk.stored.size());
            append(writer.bodies, chunk.stored);
            break;
        case ChunkMethod::constant: writer.plan.push_back(chunk.value); break;
        case ChunkMethod::small: append(writer.small, chunk.stored); break;
    }
}

std::optional<Chunk> read_chunk(PlanReader& reader, std::size_t plain_size) {
    Chunk chunk;
    chunk.method = ChunkMethod::small;
    if (plain_size >= chunk_with_method_min)
        chunk.method = static_cast<ChunkMethod>(reader.plan.read<std::uint8_t>());
    switch (chunk.method) {
        case ChunkMethod::raw: chunk.stored = reader.bodies.read_bytes(plain_size); break;
        case ChunkMethod::compressed: {
            const std::uint64_t size = read_varint(reader.plan);
            if (size == 0 || size >= plain_size) return std::nullopt;
            chunk.stored = reader.bodies.read_bytes(static_cast<std::size_t>(size));
            break;
        }
        case ChunkMethod::constant:
            chunk.value = static_cast<std::byte>(reader.plan.read<std::uint8_t>());
            break;
        case ChunkMethod::small: chunk.stored = reader.small.read_bytes(plain_size); break;
        default: return std::nullopt;
    }
    if (!reader.ok()) return std::nullopt;
    return chunk;
}

void write_table_plan(PlanWriter& writer, const TablePlan& plan) {
    writer.plan.push_back(static_cast<std::byte>(plan.form));
    if (plan.form == TableForm::rows) return;
    append(writer.plan, plan.base);
    append_varint(writer.plan, plan.model->fields.size());
    std::size_t end = 0;
    for (const Field& field : plan.model->fields) {
        append_varint(writer.plan, field.offset - end);
        writer.plan.push_back(field_code(field));
        end = std::size_t{field.offset} + field.width;
    }
}

bool read_table_plan(PlanReader& reader, std::size_t row_width, TablePlan& plan,
                     ColumnModel& model) {
    const auto form = reader.plan.read<std::uint8_t>();
    plan = {static_cast<TableForm>(form), {}, nullptr};
    if (!reader.ok()) return false;
    if (plan.form == TableForm::rows) return true;
    if (plan.form != TableForm::columns) return false;
    plan.base = reader.plan.read_bytes(row_width);
    plan.model = &model;
    const std::uint64_t field_count = read_varint(reader.plan);
    if (!reader.ok() || field_count > row_width) return false;
    model.fields.resize(static_cast<std::size_t>(field_count));
    std::size_t end = 0;
    for (Field& field : model.fields) {
        const std::uint64_t gap = read_varint(reader.plan);
        if (!read_field_code(reader.plan.read<std::uint8_t>(), field)) return false;
        if (!reader.ok() || gap > row_width - end || field.width > row_width - end - gap)
            return false;
        field.offset = static_cast<std::uint16_t>(end + gap);
        end += static_cast<std::size_t>(gap) + field.width;
    }
    return true;
}

}  // namespace walden::codec::wal_codec
