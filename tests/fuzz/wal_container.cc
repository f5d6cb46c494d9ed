// Property: whatever the bytes of a WAL container are, reading it either fills all streams or fails
// with an Error; it reads and writes nothing outside, takes bounded memory, more threads give the
// same streams, and streams that were read can be written and read again.
//
// Input: number of slots (1 byte), row width of each (2 bytes, little-endian), plain size (3
// bytes), the container. Its hash is made valid first, or nothing behind it would ever be reached.
#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "codec/wal/container/stream_container.h"
#include "property.h"

#include <cstdint>
#include <optional>
#include <vector>

using namespace walden;
using namespace walden::codec::wal_codec;

namespace {

constexpr std::size_t slots_max = 32;
constexpr std::size_t hash_offset = 1;
constexpr std::size_t hashed_offset = 9;

struct Streams {
    std::vector<Stream> streams;
    std::vector<StreamSlot> slots;

    explicit Streams(const std::vector<std::uint32_t>& widths) : streams(widths.size()) {
        for (std::size_t i = 0; i < widths.size(); ++i)
            slots.push_back({&streams[i], widths[i], StreamClass::control});
    }

    [[nodiscard]] std::size_t total() const {
        std::size_t size = 0;
        for (const Stream& stream : streams) size += stream.size();
        return size;
    }
};

bool same(const Streams& a, const Streams& b) {
    for (std::size_t i = 0; i < a.streams.size(); ++i)
        if (!equal(a.streams[i].bytes(), b.streams[i].bytes())) return false;
    return true;
}

bool read_into(Streams& streams, ByteView encoded, std::size_t plain_size,
               std::size_t worker_count) {
    try {
        ContainerWorkspace workspace;
        ContainerReader reader(encoded, plain_size, workspace);
        reader.read_streams(streams.slots, worker_count);
        return true;
    } catch (const Error& error) {
        require_property(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::usage,
                         "a failure is corrupt or usage");
        return false;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader reader({reinterpret_cast<const std::byte*>(data), size});
    std::vector<std::uint32_t> widths(reader.read<std::uint8_t>() % (slots_max + 1));
    for (std::uint32_t& width : widths) width = reader.read<std::uint16_t>() % (row_width_max + 1);
    std::size_t plain_size = reader.read<std::uint16_t>();
    plain_size |= std::size_t{reader.read<std::uint8_t>()} << 16;
    Bytes encoded = to_bytes(reader.read_bytes(reader.remaining()));
    if (encoded.size() > hashed_offset)
        store_le(encoded.data() + hash_offset, xxh3_64(ByteView(encoded).subspan(hashed_offset)));

    Streams alone(widths);
    Streams together(widths);
    const bool is_read = read_into(alone, encoded, plain_size, 1);
    require_property(is_read == read_into(together, encoded, plain_size, 3),
                     "threads change nothing");
    if (!is_read) return 0;
    require_property(same(alone, together), "threads give the same streams");
    require_property(alone.total() <= stream_total_max(plain_size), "memory is bounded");

    ContainerWorkspace workspace;
    Bytes again;
    require_property(write_container({}, alone.slots, plain_size, {}, workspace, again),
                     "what was read can be written");
    Streams back(widths);
    require_property(read_into(back, again, plain_size, 1) && same(alone, back),
                     "what was written comes back");
    return 0;
}
