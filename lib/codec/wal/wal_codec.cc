#include "codec/wal/wal_codec.h"

#include "base/error.h"
#include "codec/pool.h"
#include "codec/wal/segment_split.h"
#include "codec/wal/trailing_observer.h"

#include <algorithm>
#include <cstddef>
#include <semaphore>
#include <thread>
#include <utility>

namespace walden::codec::wal_codec {

namespace {

/// One of them works on the segment that PostgreSQL waits for, another on the next one. More at
/// once are possible, and give their memory back.
constexpr std::size_t idle_workspaces_max = 2;

/// What passes through it stays in the cache until it has been looked at.
constexpr std::size_t passage_size = 4 * decode_step_size;

struct Decoder {
    SegmentJoiner joiner;
    ContainerWorkspace container;
    Bytes passage;  ///< for contents that nobody keeps

    /// `out` as of SegmentJoiner::join().
    void decode(ByteView encoded, std::size_t plain_size, std::size_t worker_count,
                MutableByteView out, const DecodeObserver& observe) {
        ContainerReader reader(encoded, plain_size, container);
        reader.read_streams(joiner.begin(reader.directory(), plain_size), worker_count);
        joiner.join(out, observe);
    }
};

/// Gives the place back.
struct Place {
    std::counting_semaphore<>& places;

    ~Place() { places.release(); }
};

struct Encoder {
    SegmentSplitter splitter;
    Decoder decoder;  ///< its container serves for writing as well: one follows the other
    Bytes encoded;
    Bytes decoded_part = Bytes(decode_step_size);
};

bool comes_back(Encoder& encoder, ByteView plain, std::size_t worker_count) {
    bool is_equal = true;
    std::size_t compared = 0;
    // Part by part, in memory that stays in the cache.
    const auto compare = [&](std::size_t offset, ByteView part) {
        is_equal = is_equal && equal(part, plain.subspan(offset, part.size()));
        compared += part.size();
    };
    // The streams of the same content, in the same order: one memory does for both.
    exchange_memory(encoder.splitter, encoder.decoder.joiner);
    bool has_decoded = true;
    try {
        encoder.decoder.decode(encoder.encoded, plain.size(), worker_count, encoder.decoded_part,
                               compare);
    } catch (const Error&) {
        has_decoded = false;
    }
    exchange_memory(encoder.splitter, encoder.decoder.joiner);
    return has_decoded && is_equal && compared == plain.size();
}

PlainReason encode_with(Encoder& encoder, ByteView plain, RecordCrcs crcs,
                        const ContainerOptions& options, ContainerShares* shares) {
    const PlainReason reason = encoder.splitter.split(plain, crcs);
    if (reason != PlainReason::none) return reason;
    const bool is_written =
        write_container(encoder.splitter.directory(), encoder.splitter.streams(), plain.size(),
                        options, encoder.decoder.container, encoder.encoded, shares);
    if (!is_written || encoder.encoded.size() >= plain.size()) return PlainReason::saves_nothing;
    return comes_back(encoder, plain, options.worker_count) ? PlainReason::none
                                                            : PlainReason::does_not_come_back;
}

/// Whether anybody would expect records in it: pages, the first of which has a magic of
/// PostgreSQL's (0xD0xx to 0xD1xx since 8.0, one more with each change of the format).
bool looks_like_wal(ByteView plain) {
    constexpr std::size_t page_size = 8192;
    if (plain.size() < page_size) return false;
    const unsigned high = std::to_integer<unsigned>(plain[1]);
    return high == 0xD0 || high == 0xD1;
}

}  // namespace

WalEncoded encode_wal(ByteView plain, const ContainerOptions& options, ContainerShares* shares) {
    if (!looks_like_wal(plain)) return {PlainReason::not_wal, {}};
    static Pool<Encoder> encoders(idle_workspaces_max);
    const auto encoder = encoders.lend();
    // What is compared in the end need not be computed at the beginning: only where it does not
    // come back are the CRCs worth knowing.
    PlainReason reason = PlainReason::none;
    for (const RecordCrcs crcs : {RecordCrcs::assumed, RecordCrcs::checked}) {
        reason = encode_with(*encoder, plain, crcs, options, shares);
        if (reason != PlainReason::does_not_come_back) break;
    }
    if (reason != PlainReason::none) return {reason, {}};
    return {PlainReason::none, std::move(encoder->encoded)};
}

void check_wal(ByteView encoded, std::size_t plain_size) {
    check_container(encoded, plain_size);
}

namespace {

/// With a decoder of its own, of which there are as many at once as there are processors.
template <class Use>
void with_decoder(const Use& use) {
    static Pool<Decoder> decoders(idle_workspaces_max);
    // Whoever fetches ahead has many threads because stores are far away, and few processors: more
    // decoders than those would take memory and each other's cache, and be no sooner done.
    static std::counting_semaphore<> places(
        static_cast<std::ptrdiff_t>(std::max(1U, std::thread::hardware_concurrency())));
    places.acquire();
    const Place place{places};
    const auto decoder = decoders.lend();
    use(*decoder);
}

void decode_observed(Decoder& decoder, ByteView encoded, std::size_t plain_size,
                     std::size_t worker_count, MutableByteView out, const DecodeObserver& observe) {
    if (worker_count <= 1) return decoder.decode(encoded, plain_size, 1, out, observe);
    TrailingObserver trailing(out, plain_size, observe);
    decoder.decode(encoded, plain_size, worker_count, out,
                   [&](std::size_t offset, ByteView part) { trailing.see(offset, part); });
    trailing.finish();
}

}  // namespace

void decode_wal_into(ByteView encoded, std::size_t worker_count, MutableByteView out,
                     const DecodeObserver& observe) {
    with_decoder([&](Decoder& decoder) {
        decode_observed(decoder, encoded, out.size(), worker_count, out, observe);
    });
}

void show_wal(ByteView encoded, std::size_t plain_size, std::size_t worker_count,
              const DecodeObserver& observe) {
    with_decoder([&](Decoder& decoder) {
        decoder.passage.resize(passage_size);
        // One thread looks at each part before it makes the next one.
        const std::size_t size = worker_count <= 1 ? decode_step_size : passage_size;
        decode_observed(decoder, encoded, plain_size, worker_count,
                        MutableByteView(decoder.passage).first(size), observe);
    });
}

}  // namespace walden::codec::wal_codec
