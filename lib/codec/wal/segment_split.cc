#include "codec/wal/segment_split.h"

#include "codec/wal/directory.h"
#include "codec/wal/record/prefix_choice.h"
#include "codec/wal/record/record_coder.h"
#include "codec/wal/record/record_scan.h"
#include "codec/wal/segment_memory.h"

namespace walden::codec::wal_codec {

class SegmentSplitter::State : public SegmentMemory {
public:
    PlainReason split(ByteView plain, RecordCrcs crcs);

    TemplateFinder templates{model};
    RecordPlaces records;
    Bytes directory;

private:
    void lay_out_all();
};

PlainReason SegmentSplitter::State::split(ByteView plain, RecordCrcs crcs) {
    model.clear();
    templates.clear();
    records.clear();
    directory.clear();
    const PlainReason reason = scan_records(plain, crcs, model, templates, linear, records);
    if (reason != PlainReason::none) return reason;
    lay_out_all();
    RecordCoder<Direction::split> coder(model, linear.data());
    for (const RecordPlace& place : records) {
        std::byte* const record = linear.data() + place.offset;
        auto total = load_le<std::uint32_t>(record);
        if (!coder.move(record, total, model.templates.data()[place.template_index], total))
            return PlainReason::does_not_come_back;
    }
    write_directory(model, directory);
    model.list_slots();
    return PlainReason::none;
}

void SegmentSplitter::State::lay_out_all() {
    for (std::uint32_t i = 0; i < model.template_count; ++i) {
        RecordTemplate& known = model.templates[i];
        choose_prefixes(known, linear.data());
        lay_out(known);
        choose_xid_offsets(known);
        for (const Piece& piece : known.pieces) {
            const bool is_of_relation =
                piece.kind != PieceKind::opaque && piece.kind != PieceKind::main_data;
            if (is_of_relation) model.relations[piece.relation].bytes += piece.length_total;
        }
    }
    for (Relation& relation : model.relations)
        relation.has_own_streams = relation.bytes >= own_relation_bytes_min;
    model.assign_streams();
}

SegmentSplitter::SegmentSplitter() : state_(std::make_unique<State>()) {}

SegmentSplitter::~SegmentSplitter() = default;
SegmentSplitter::SegmentSplitter(SegmentSplitter&&) noexcept = default;
SegmentSplitter& SegmentSplitter::operator=(SegmentSplitter&&) noexcept = default;

SegmentMemory& SegmentSplitter::memory() {
    return *state_;
}

PlainReason SegmentSplitter::split(ByteView plain, RecordCrcs crcs) {
    return state_->split(plain, crcs);
}

ByteView SegmentSplitter::directory() const {
    return state_->directory;
}

std::span<const StreamSlot> SegmentSplitter::streams() const {
    return state_->model.slots();
}

}  // namespace walden::codec::wal_codec
