// Property: whatever the bytes, reading a list of block references ends in a list that encodes to
// the same bytes, or in an Error of kind corrupt or usage; adding it to a union stays within its
// memory. And whatever a segment and the end of the one before, examining them says of the segment
// what reading it says, and gives a list that survives encoding.
//
// The first byte chooses: even, a list; odd, an edit script of 6 bytes each on two sound segments,
// place (3), value (1), what it makes right again (1), one unused.
#include "wal/block_references.h"

#include "base/error.h"
#include "property.h"
#include "support/wal_builder.h"
#include "support/wal_records.h"
#include "wal/changed_blocks.h"
#include "wal/segment_examiner.h"

#include <cstddef>
#include <cstdint>

using namespace walden;
using namespace walden::wal;
using test::WalBuilder;

namespace {

constexpr std::size_t edit_size = 6;
constexpr std::size_t segment_size = std::size_t{1} << 20;
constexpr std::size_t memory_max = std::size_t{1} << 20;

void add_to_union(const BlockReferences& list) {
    ChangedBlocks changed({.pages_per_file = 131'072, .memory_max = memory_max});
    changed.add(list);
    require_property(changed.memory_used() <= memory_max, "a union stays within its memory");
    for (const ForkReferences& fork : list.forks)
        for (const BlockRun& run : fork.runs)
            require_property(changed.contains(fork.relation, run.first), "no block is lost");
}

void try_list(ByteView bytes) {
    try {
        const BlockReferences list = decode_block_references(bytes);
        require_property(equal(encode_block_references(list), bytes), "a list has one spelling");
        add_to_union(list);
    } catch (const Error& error) {
        require_property(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::usage,
                         "a list fails as corrupt or usage");
    }
}

WalBuilder make_stream() {
    WalBuilder builder;
    const std::vector<test::SampleRecord> records = test::make_sample_records(400, 3);
    for (std::size_t i = 0; builder.end_offset() < segment_size + 100'000; ++i)
        builder.record_of(records[i % records.size()].body, records[i % records.size()].kind);
    builder.switch_segment();
    return builder;
}

void try_segments(const std::uint8_t* data, std::size_t size) {
    static const WalBuilder sound = make_stream();
    WalBuilder builder = sound;
    for (; size >= edit_size; data += edit_size, size -= edit_size) {
        const std::size_t place = (data[0] | data[1] * 256U | data[2] * 65'536U) % segment_size;
        // Mostly around the boundary, where two segments are read together.
        const std::size_t offset =
            data[4] % 4 == 0 ? place : segment_size - 65'536 + place % 131'072;
        if (data[4] % 4 != 3) {
            builder.flip_byte(offset, data[3]);
            continue;
        }
        const auto& records = builder.records();
        const std::size_t at = builder.offset_of(records[place % records.size()]);
        const auto length = load_le<std::uint32_t>(&builder.stream()[at]);
        if (length <= record_header_size || at % 8192 + length > 8192) continue;
        const std::size_t body = length - record_header_size;
        builder.flip_byte(at + record_header_size + data[5] % body, data[3]).seal_record(at);
    }
    const SegmentInput input = {.bytes = builder.stream().subspan(segment_size, segment_size),
                                .name = builder.name(1),
                                .segment_size = builder.options().segment_size};
    const SegmentExamination examined =
        examine_segment(input, builder.stream().first(segment_size).last(previous_end_size));
    const SegmentReport report = read_segment(input);
    require_property(report.end == examined.report.end && report.facts == examined.report.facts &&
                         report.carry_out == examined.report.carry_out,
                     "the segment before changes nothing");
    const Bytes encoded = encode_block_references(examined.references);
    require_property(encoded.size() <= block_references_size_max, "lists are bounded");
    add_to_union(decode_block_references(encoded));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    if (data[0] % 2 == 0)
        try_list(std::as_bytes(std::span(data + 1, size - 1)));
    else
        try_segments(data + 1, size - 1);
    return 0;
}
