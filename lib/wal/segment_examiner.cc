#include "wal/segment_examiner.h"

#include "wal/carried_record.h"
#include "wal/page_header.h"
#include "wal/record_parts.h"
#include "wal/reference_collector.h"

#include <optional>

namespace walden::wal {

namespace {

class Examiner {
public:
    explicit Examiner(const WalVersion& version) : version_(version), references_(version) {}

    /// The visitor. Records from the segment before come by find_carried_record().
    void operator()(const RecordView& record) {
        if (record.missing == 0) observe(record.header, record.pieces);
    }

    /// False if more of the record is needed than `pieces` hold.
    bool observe(const RecordHeader& header, std::span<const ByteView> pieces) {
        const ByteView begin = bytes_of_pieces(pieces, 0, record_parts_size_max, scratch_);
        const PartsState state = read_record_parts(begin, header.total_length, version_, parts_);
        return references_.add(header, pieces, state, parts_);
    }

    bool observe(const SpannedRecord& record) {
        const ByteView begin = bytes_of_pieces(record.pieces, 0, record_parts_size_max, scratch_);
        if (begin.size() < record_header_size) return false;
        return observe(load_record_header(begin.data()), record.pieces);
    }

    BlockReferences take_references() { return references_.take(); }

private:
    const WalVersion& version_;
    ReferenceCollector references_;
    RecordParts parts_;
    Bytes scratch_;
};

}  // namespace

SegmentExamination examine_segment(const SegmentInput& input, ByteView previous_end) {
    SegmentExamination result;
    result.references.begin = result.references.end = first_lsn(input.name, input.segment_size);
    const WalVersion* const version =
        input.bytes.size() < 2 ? nullptr
                               : find_wal_version(load_le<std::uint16_t>(input.bytes.data()));
    if (version == nullptr) {
        result.report = read_segment(input);
        return result;
    }
    Examiner examiner(*version);
    result.report = read_segment(input, examiner);
    if (!result.report.header) return result;

    bool is_open = false;
    Carried carried = Carried::none;
    if (result.report.owed_by_previous > 0) {
        const auto record = find_carried_record(input, result.report, previous_end);
        carried = record ? Carried::resolved : Carried::unknown;
        if (record && !examiner.observe(*record)) is_open = true;
    }
    if (const auto record = find_unfinished_record(input, result.report))
        if (!examiner.observe(*record)) is_open = true;
    BlockReferences& references = result.references;
    const Lsn begin = references.begin;
    references = examiner.take_references();
    references.begin = begin;
    references.end =
        result.report.is_complete() ? begin + input.segment_size.bytes() : result.report.valid_end;
    references.is_open = is_open;
    references.carried = carried;
    return result;
}

}  // namespace walden::wal
