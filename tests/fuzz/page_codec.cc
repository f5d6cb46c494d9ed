// Property: whatever pages are, encoding brings them back byte for byte; and whatever the directory
// and the streams of a unit are, joining gives the same bytes each time or fails with
// Error(corrupt), or Error(usage) for a later version, and touches nothing outside.
//
// Random bytes are no pages, so the input is an edit script on sound ones: the first byte chooses
// their kinds, then 6 bytes each: operation (1), place (3), value (2). Operations on pages take
// effect before encoding, others on directory and streams afterwards.
#include "codec/page/page_codec.h"

#include "base/error.h"
#include "codec/codec.h"
#include "codec/page/page_unit.h"
#include "property.h"
#include "support/page_builder.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

using namespace walden;
using namespace walden::codec;
using namespace walden::codec::page_codec;
using test::SamplePages;

namespace {

constexpr std::size_t edit_size = 6;
constexpr std::size_t pages_of_kind = 3;
constexpr std::uint32_t first_block = 7;

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

void edit_pages(const Edit& edit, Bytes& pages) {
    const std::size_t at = edit.place % (pages.size() - data_page_size);
    const std::size_t begin = at / data_page_size * data_page_size;
    switch (edit.operation) {
        case 0: pages[at] ^= static_cast<std::byte>(edit.low); break;
        case 1:  // a header's field
            pages[begin + edit.high % page_header_size] = static_cast<std::byte>(edit.low);
            break;
        case 2:  // a line pointer's byte
            pages[begin + page_header_size + edit.high * 2U] = static_cast<std::byte>(edit.low);
            break;
        case 3:
            std::fill_n(pages.begin() + static_cast<std::ptrdiff_t>(at), edit.low * 16U,
                        static_cast<std::byte>(edit.high));
            break;
        case 4:  // a torn page
            std::memcpy(&pages[begin + data_page_size / 2],
                        &pages[edit.low % pages_of_kind * data_page_size + data_page_size / 2],
                        data_page_size / 2);
            break;
        case 5:
            std::memcpy(&pages[begin], &pages[edit.low % pages_of_kind * data_page_size],
                        data_page_size);
            break;
        default: break;
    }
}

void damage(const Edit& edit, Bytes& directory, std::vector<Bytes>& streams) {
    if (edit.operation == 16) {
        directory[edit.place % directory.size()] = static_cast<std::byte>(edit.low);
        return;
    }
    if (edit.operation == 17) return directory.resize(edit.place % directory.size());
    Bytes& stream = streams[edit.high % streams.size()];
    switch (edit.operation) {
        case 18:
            if (!stream.empty())
                stream[edit.place % stream.size()] = static_cast<std::byte>(edit.low);
            break;
        case 19: stream.resize(edit.place % (stream.size() + 1)); break;
        case 20: std::fill(stream.begin(), stream.end(), static_cast<std::byte>(edit.low)); break;
        default: break;
    }
}

Bytes make_pages(std::uint8_t kinds) {
    Bytes pages;
    std::size_t bit = 0;
    for (const SamplePages kind : {SamplePages::orders, SamplePages::fixed_rows,
                                   SamplePages::numbers, SamplePages::words, SamplePages::postings})
        if ((kinds >> bit++ & 1) != 0)
            append(pages, test::make_sample_pages(kind, pages_of_kind, kinds / 32U, first_block));
    append(pages, Bytes(data_page_size, std::byte{0}));
    return pages;
}

std::optional<Bytes> join(ByteView directory, const std::vector<Bytes>& streams,
                          std::size_t page_count) {
    static PageFrame frame;
    UnitModel model;
    Bytes pages(page_count * data_page_size, std::byte{0});
    try {
        model.read_directory(directory);
        for (std::size_t i = 0; i < streams.size(); ++i)
            std::copy(streams[i].begin(), streams[i].end(),
                      model.slots()[i].stream->resize(streams[i].size()));
        join_unit(model, test::blocks_from(first_block, page_count), pages, frame);
    } catch (const Error& error) {
        require_property(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::usage,
                         "a failure is corrupt or later");
        return std::nullopt;
    }
    return pages;
}

void check_round_trip(ByteView pages, std::span<const std::uint32_t> blocks) {
    const Encoded encoded = encode_pages(pages, {}, blocks);
    Bytes plain(pages.size());
    decode_unit(encoded.codec, encoded.bytes, plain, blocks);
    require_property(equal(plain, pages), "pages come back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::vector<Edit> edits = read_edits(data + 1, size - 1);
    Bytes pages = make_pages(data[0]);
    if (pages.size() == data_page_size) return 0;
    for (const Edit& edit : edits) edit_pages(edit, pages);
    // A heap block of exactly this size, so that a sanitizer sees the first byte read past it.
    const auto exact = std::make_unique<std::byte[]>(pages.size());
    std::copy(pages.begin(), pages.end(), exact.get());
    const ByteView view(exact.get(), pages.size());
    const std::size_t page_count = pages.size() / data_page_size;
    check_round_trip(view, {});
    const auto blocks = test::blocks_from(first_block, page_count);
    check_round_trip(view, blocks);

    static UnitSplitter splitter;
    static UnitModel model;
    if (!splitter.split(view, blocks, model)) return 0;
    Bytes directory;
    model.write_directory(directory);
    std::vector<Bytes> streams;
    for (const StreamSlot& slot : model.slots()) streams.push_back(to_bytes(slot.stream->bytes()));
    const auto joined = join(directory, streams, page_count);
    require_property(joined && equal(*joined, view), "what was split is joined");
    for (const Edit& edit : edits) damage(edit, directory, streams);
    require_property(join(directory, streams, page_count) == join(directory, streams, page_count),
                     "joining depends on nothing else");
    return 0;
}
