#include "codec/wal/wal_codec.h"

#include "base/error.h"
#include "codec/pool.h"
#include "codec/wal/segment_split.h"

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

struct Decoder {
    SegmentJoiner joiner;
    ContainerWorkspace container;

    void decode(ByteView encoded, std::size_t worker_count, MutableByteView out,
                const DecodeObserver& observe) {
        ContainerReader reader(encoded, out.size(), container);
        reader.read_streams(joiner.begin(reader.directory(), out.size()), worker_count);
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
    ContainerWorkspace container;
    Decoder decoder;
    Bytes encoded;
    Bytes decoded;
};

bool comes_back(Encoder& encoder, ByteView plain, std::size_t worker_count) {
    encoder.decoded.resize(plain.size());
    bool is_equal = true;
    std::size_t compared = 0;
    // Part by part, while it is in the cache.
    const auto compare = [&](std::size_t offset, ByteView part) {
        is_equal = is_equal && equal(part, plain.subspan(offset, part.size()));
        compared += part.size();
    };
    // The streams of the same content, in the same order: one memory does for both.
    exchange_memory(encoder.splitter, encoder.decoder.joiner);
    bool has_decoded = true;
    try {
        encoder.decoder.decode(encoder.encoded, worker_count, encoder.decoded, compare);
    } catch (const Error&) {
        has_decoded = false;
    }
    exchange_memory(encoder.splitter, encoder.decoder.joiner);
    return has_decoded && is_equal && compared == plain.size();
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
    const PlainReason reason = encoder->splitter.split(plain);
    if (reason != PlainReason::none) return {reason, {}};
    const bool is_written =
        write_container(encoder->splitter.directory(), encoder->splitter.streams(), plain.size(),
                        options, encoder->container, encoder->encoded, shares);
    if (!is_written || encoder->encoded.size() >= plain.size())
        return {PlainReason::saves_nothing, {}};
    if (!comes_back(*encoder, plain, options.worker_count))
        return {PlainReason::does_not_come_back, {}};
    return {PlainReason::none, to_bytes(encoder->encoded)};
}

void check_wal(ByteView encoded, std::size_t plain_size) {
    check_container(encoded, plain_size);
}

void decode_wal_into(ByteView encoded, std::size_t worker_count, MutableByteView out,
                     const DecodeObserver& observe) {
    static Pool<Decoder> decoders(idle_workspaces_max);
    // Whoever fetches ahead has many threads because stores are far away, and few processors: more
    // decoders than those would take memory and each other's cache, and be no sooner done.
    static std::counting_semaphore<> places(
        static_cast<std::ptrdiff_t>(std::max(1U, std::thread::hardware_concurrency())));
    places.acquire();
    const Place place{places};
    decoders.lend()->decode(encoded, worker_count, out, observe);
}

}  // namespace walden::codec::wal_codec
