// Property: whatever a content is, the splitter takes it or says why not; what it takes comes back
// from the joiner byte for byte; and whatever the directory and the streams are, the joiner gives
// the same bytes each time or fails with Error(corrupt), and touches nothing outside.
//
// WAL is mostly CRCs and links, so the input is an edit script on a sound piece of a segment: 6
// bytes each, operation (1), place (3), value (2). Operations on records take effect before their
// CRCs, links and pages are made, operations on pages afterwards, operations on directory and
// streams when the content has come back. The first byte chooses version and place of the piece.
#include "base/error.h"
#include "codec/wal/segment_split.h"
#include "property.h"
#include "support/split_copy.h"
#include "support/wal_builder.h"
#include "support/wal_records.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

using namespace walden;
using namespace walden::codec;
using namespace walden::codec::wal_codec;
using test::SampleRecord;
using test::SplitCopy;
using test::WalBuilder;

namespace {

constexpr std::size_t edit_size = 6;
constexpr std::size_t page = 8192;
constexpr std::size_t piece_size = 16 * page;
constexpr std::size_t stream_size = std::size_t{1} << 20;

struct Edit {
    std::uint8_t operation = 0;
    std::size_t place = 0;
    std::uint8_t low = 0;
    std::uint8_t high = 0;
};

std::vector<Edit> read_edits(const std::uint8_t* data, std::size_t size) {
    std::vector<Edit> edits;
    for (; size >= edit_size; data += edit_size, size -= edit_size)
        edits.push_back({.operation = data[0],
                         .place = data[1] | data[2] * 256U | data[3] * 65'536U,
                         .low = data[4],
                         .high = data[5]});
    return edits;
}

void edit_record(const Edit& edit, std::vector<SampleRecord>& records) {
    // Records and places in them are chosen by different bits.
    SampleRecord& record = records[edit.place % records.size()];
    Bytes& body = record.body;
    const std::size_t at = body.empty() ? 0 : (edit.place >> 10) % body.size();
    switch (edit.operation) {
        case 0:
            if (!body.empty()) body[at] ^= static_cast<std::byte>(edit.low);
            break;
        case 1:
            if (at + 2 <= body.size())
                store_le<std::uint16_t>(&body[at],
                                        static_cast<std::uint16_t>(edit.low | edit.high << 8));
            break;
        case 2: body.resize(at); break;
        case 3: body.insert(body.end(), edit.low, static_cast<std::byte>(edit.high)); break;
        case 4: record.kind.xid = static_cast<std::uint32_t>(edit.low * 0x01010101U); break;
        case 5:
            record.kind.resource_manager = edit.low;
            record.kind.info = edit.high;
            break;
        case 6: record = records[edit.low % records.size()]; break;
        default: break;
    }
}

void edit_pages(const Edit& edit, Bytes& content) {
    const std::size_t at = edit.place % (content.size() - page);
    const std::size_t begin = at / page * page;
    switch (edit.operation) {
        case 7: content[at] ^= static_cast<std::byte>(edit.low); break;
        case 8:
            std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(at),
                        edit.low * std::size_t{32}, std::byte{0});
            break;
        case 9:  // a torn page: its second half is that of another one
            std::memcpy(&content[begin + page / 2], &content[edit.low % 15 * page + page / 2],
                        page / 2);
            break;
        case 10:  // a header's field
            content[begin + edit.high % 40] = static_cast<std::byte>(edit.low);
            break;
        case 11:  // a recycled tail
            for (std::size_t i = begin; i < content.size(); ++i)
                content[i] ^= static_cast<std::byte>(edit.low);
            break;
        case 12:
            std::fill(content.begin() + static_cast<std::ptrdiff_t>(at), content.end(),
                      std::byte{0});
            break;
        default: break;
    }
}

void damage(const Edit& edit, SplitCopy& copy) {
    if (edit.operation == 13) {
        copy.directory[edit.place % copy.directory.size()] = static_cast<std::byte>(edit.low);
        return;
    }
    Bytes& stream = copy.streams[edit.high % copy.streams.size()];
    switch (edit.operation) {
        case 14:
            if (!stream.empty())
                stream[edit.place % stream.size()] = static_cast<std::byte>(edit.low);
            break;
        case 15: stream.resize(edit.place % (stream.size() + 1)); break;
        case 16: std::fill(stream.begin(), stream.end(), static_cast<std::byte>(edit.low)); break;
        case 17: copy.directory.resize(edit.place % copy.directory.size()); break;
        default: break;
    }
}

Bytes make_content(std::uint8_t choice, std::vector<Edit> edits) {
    const auto versions = wal::wal_versions();
    const std::uint16_t magic = versions[choice % versions.size()].magic;
    std::vector<SampleRecord> records = test::make_sample_records(400, choice / 16U, magic);
    for (const Edit& edit : edits) edit_record(edit, records);
    WalBuilder builder({.magic = magic});
    // An odd choice begins in the middle of a record.
    const std::size_t begin = choice / 8 % 2 != 0 ? 3 * page : 0;
    if (begin > 0) builder.record(2 * page + 777);
    for (std::size_t i = 0; builder.end_offset() < begin + piece_size; ++i) {
        const SampleRecord& record = records[i % records.size()];
        const bool is_torn = !edits.empty() && edits[0].operation == 18 &&
                             i == edits[0].place % 400 && builder.end_offset() % page > 100;
        if (is_torn)
            builder.torn_record(2 * page + edits[0].low);
        else
            builder.record_of(record.body, record.kind);
        if (builder.end_offset() + 64 * 1024 > stream_size) break;
    }
    Bytes content = to_bytes(builder.stream().subspan(begin, piece_size));
    for (const Edit& edit : edits) edit_pages(edit, content);
    return content;
}

std::optional<std::vector<std::byte>> join(SegmentJoiner& joiner, const SplitCopy& copy) {
    try {
        return copy.join(joiner);
    } catch (const Error& error) {
        require_property(error.kind() == ErrorKind::corrupt, "a failure is corrupt");
        return std::nullopt;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::vector<Edit> edits = read_edits(data + 1, size - 1);
    const Bytes content = make_content(data[0], edits);
    // A heap block of exactly this size, so that a sanitizer sees the first byte read past it.
    const auto exact = std::make_unique<std::byte[]>(content.size());
    std::copy(content.begin(), content.end(), exact.get());

    static SegmentSplitter splitter;
    static SegmentJoiner joiner;
    const PlainReason reason = splitter.split({exact.get(), content.size()});
    require_property(!edits.empty() || reason == PlainReason::none, "sound content is split");
    if (reason != PlainReason::none) return 0;
    SplitCopy copy = SplitCopy::of(splitter, content.size());
    const auto joined = join(joiner, copy);
    require_property(joined.has_value(), "what was split can be joined");
    require_property(equal(*joined, content), "what was split comes back");

    for (const Edit& edit : edits) damage(edit, copy);
    SegmentJoiner fresh;
    require_property(join(joiner, copy) == join(fresh, copy), "joining depends on nothing else");
    return 0;
}
