// Property: whatever the bytes, the walk stays inside them, every record it shows lies where it
// says, records follow each other in order, and the walk is the same every time.
//
// Interesting segments are long and mostly CRCs, so the input is an edit script on a sound one:
// 6 bytes each, offset (3), operation (1), value (2). CRCs can be made right again.
#include "base/hash.h"
#include "property.h"
#include "support/wal_builder.h"

#include <optional>

using namespace walden;
using namespace walden::wal;
using test::WalBuilder;

namespace {

constexpr std::size_t edit_size = 6;

WalBuilder make_stream() {
    WalBuilder builder({.first = {3, 5}});
    builder.record(30).commit(9, 10).checkpoint({5}).record(9000).abort(10, 11).torn_record(12'000);
    builder.fill(500, 900'000).change_timeline(4).record(40'000).fill(5000, 800'000);
    builder.fill(90, 780'000).switch_segment();
    return builder;
}

void apply(WalBuilder& builder, const std::uint8_t* edit) {
    const std::size_t offset = (edit[0] | edit[1] * 256U | edit[2] * 65'536U) % ((1U << 20) - 8);
    const std::uint8_t value[] = {edit[4], edit[5]};
    switch (edit[3] % 5) {
        case 0: builder.flip_byte(offset, edit[4]); break;
        case 1: builder.store(offset, std::as_bytes(std::span(value))); break;
        case 2:
            builder.zero(offset, std::min<std::size_t>(edit[4] * 256U, (1U << 20) - offset));
            break;
        case 3: builder.zero_from(offset); break;
        case 4: {  // change a record and seal it, if there is one in this page
            const auto& records = builder.records();
            const std::size_t at = builder.offset_of(records[offset % records.size()]);
            const auto length = load_le<std::uint32_t>(&builder.stream()[at]);
            if (length < record_header_size || at % 8192 + length > 8192) return;
            builder.flip_byte(at + edit[4] % length, edit[5]);
            const auto changed = load_le<std::uint32_t>(&builder.stream()[at]);
            if (changed >= record_header_size && at % 8192 + changed <= 8192)
                builder.seal_record(at);
            break;
        }
    }
}

void check_report(const SegmentReport& report, Lsn first, Lsn last) {
    require_property(report.is_complete() == report.carry_out.has_value(), "complete means carry");
    require_property((report.end == EndReason::full || report.end == EndReason::switched) ==
                         report.reason.empty(),
                     "an early end has a reason");
    require_property(first <= report.valid_end && report.valid_end <= last, "the end is inside");
    require_property(first <= report.stopped_at && report.stopped_at <= last, "the stop is inside");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const WalBuilder sound = make_stream();
    static const bool is_sound = sound.read().end == EndReason::switched;
    require_property(is_sound, "the segment without edits is whole");
    WalBuilder builder = sound;
    for (; size >= edit_size; data += edit_size, size -= edit_size) apply(builder, data);

    // The stream is this one segment, so the sanitizer sees any read beyond it.
    const ByteView segment = builder.stream();
    const SegmentInput input = {
        .bytes = segment, .name = builder.name(0), .segment_size = builder.options().segment_size};
    const Lsn first = first_lsn(input.name, input.segment_size);
    Lsn previous;
    std::uint64_t count = 0;
    const SegmentReport report = read_segment(input, [&](const RecordView& record) {
        require_property(record.lsn > previous, "records ascend");
        previous = record.lsn;
        ++count;
        std::uint64_t bytes = record.missing;
        for (const ByteView piece : record.pieces) {
            require_property(piece.data() >= segment.data() &&
                                 piece.data() + piece.size() <= segment.data() + segment.size(),
                             "pieces lie in the segment");
            bytes += piece.size();
        }
        require_property(bytes == record.header.total_length, "pieces make the record");
    });
    check_report(report, first, first + segment.size());
    require_property(count == report.facts.record_count, "each counted record was shown");

    const SegmentReport again = read_segment(input);
    require_property(again.end == report.end && again.facts == report.facts &&
                         again.carry_out == report.carry_out && again.reason == report.reason,
                     "a visitor changes nothing");
    // A carry that fits nothing must not lead outside either.
    const SegmentCarry carry = {.position = first,
                                .timeline = 1,
                                .last_record = {8},
                                .partial = PartialRecord::begin({16}, 100)};
    check_report(read_segment({.bytes = segment,
                               .name = input.name,
                               .segment_size = input.segment_size,
                               .carry_in = &carry}),
                 first, first + segment.size());
    return 0;
}
