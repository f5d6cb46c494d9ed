#include "codec/page/unit_model.h"

#include "base/error.h"
#include "base/format.h"

#include <utility>

namespace walden::codec::page_codec {

namespace {

constexpr std::uint8_t directory_version = 1;

[[noreturn]] void fail_corrupt(std::string message) {
    throw Error(ErrorKind::corrupt, std::move(message));
}

HeapShape read_heap_shape(ByteReader& reader) {
    HeapShape shape;
    shape.flags = reader.read<std::uint8_t>();
    shape.size = reader.read<std::uint8_t>();
    if (shape.size < shape_size_min || shape.size > shape_size_max ||
        shape.header_size() % item_alignment != 0)
        fail_corrupt(
            format("a row of a page unit has the impossible header size {}", shape.header_size()));
    const ByteView bytes = reader.read_bytes(shape.size);
    if (!bytes.empty()) std::memcpy(shape.bytes.data(), bytes.data(), bytes.size());
    return shape;
}

}  // namespace

void UnitModel::clear() {
    heap = {};
    index = {};
    heap_shapes.clear();
    index_shapes.clear();
    list_slots();
    for (const StreamSlot& slot : slots_) slot.stream->clear();
}

void UnitModel::list_slots() {
    UnitStreams& s = streams;
    slots_ = {
        {&s.page_codes, 0, StreamClass::control},
        {&s.page_rows, page_row_size, StreamClass::page_rows},
        {&s.whole_pages, 0, StreamClass::image},
        {&s.stale, 0, StreamClass::edge},
        {&s.paddings, 0, StreamClass::edge},
        {&s.specials, 16, StreamClass::page_rows},
        {&s.other_specials, 0, StreamClass::page_rows},
        {&s.ranks, 2, StreamClass::page_rows},
        {&s.odd_pointers, pointer_size, StreamClass::page_rows},
        {&s.odd_items, 0, StreamClass::tuple_data},
        {&s.heap_codes, 0, StreamClass::control},
        {&s.lengths, 2, StreamClass::page_rows},
        {&s.xmins, 4, StreamClass::xid},
        {&s.xmaxs, 4, StreamClass::xid},
        {&s.cids, 4, StreamClass::xid},
        {&s.ctids, tid_size, StreamClass::xid},
        {&s.usual_bodies, heap.usual_size, StreamClass::tuple_rows},
        {&s.heads, heap.head_size, StreamClass::tuple_rows},
        {&s.bodies, 0, StreamClass::tuple_data},
        {&s.index_codes, 0, StreamClass::control},
        {&s.tids, tid_size, StreamClass::record_rows},
        {&s.alternatives, tid_size, StreamClass::record_rows},
        {&s.posting_tids, tid_size, StreamClass::record_rows},
        {&s.usual_keys, index.usual_size, StreamClass::tuple_rows},
        {&s.shared, 0, StreamClass::control},
        {&s.keys, 0, StreamClass::record_data},
    };
}

void UnitModel::write_directory(Bytes& out) const {
    out.clear();
    ByteWriter writer(out);
    writer.write(directory_version);
    writer.write(heap.usual_size);
    writer.write(heap.head_size);
    writer.write(index.usual_size);
    writer.write(static_cast<std::uint8_t>(index.mode));
    writer.write(static_cast<std::uint8_t>(heap_shapes.size()));
    for (const HeapShape& shape : heap_shapes) {
        writer.write(shape.flags);
        writer.write(shape.size);
        writer.write_bytes(ByteView(shape.bytes).first(shape.size));
    }
    writer.write(static_cast<std::uint8_t>(index_shapes.size()));
    for (const IndexShape& shape : index_shapes) {
        writer.write(shape.pointer);
        writer.write(shape.info);
    }
}

void UnitModel::read_directory(ByteView directory) {
    ByteReader reader(directory);
    const auto version = reader.read<std::uint8_t>();
    if (reader.ok() && version > directory_version)
        throw Error(ErrorKind::usage,
                    format("page unit has version {}, newer than {}", version, directory_version))
            .with_hint("Please upgrade walden.");
    heap.usual_size = reader.read<std::uint16_t>();
    heap.head_size = reader.read<std::uint16_t>();
    index.usual_size = reader.read<std::uint16_t>();
    const auto mode = reader.read<std::uint8_t>();
    if (version != directory_version || heap.usual_size > usual_size_max ||
        heap.head_size > head_size_max || index.usual_size > usual_size_max ||
        mode > static_cast<std::uint8_t>(KeyMode::prefix))
        fail_corrupt(format("the directory of a page unit, version {}, is invalid", version));
    index.mode = static_cast<KeyMode>(mode);
    heap_shapes.resize(reader.read<std::uint8_t>());
    if (heap_shapes.size() > shapes_max) fail_corrupt("a page unit has too many shapes of rows");
    for (HeapShape& shape : heap_shapes)
        if (reader.ok()) shape = read_heap_shape(reader);
    index_shapes.resize(reader.read<std::uint8_t>());
    if (index_shapes.size() > shapes_max) fail_corrupt("a page unit has too many shapes of items");
    for (IndexShape& shape : index_shapes) {
        shape.pointer = reader.read<std::uint32_t>();
        shape.info = reader.read<std::uint16_t>();
        if (offset_in(shape.pointer) != 0 || length_in(shape.pointer) < 8)
            fail_corrupt("a page unit has items of an impossible size");
    }
    if (!reader.ok() || reader.remaining() != 0)
        fail_corrupt("the directory of a page unit has not the size of what is in it");
    list_slots();
}

}  // namespace walden::codec::page_codec
