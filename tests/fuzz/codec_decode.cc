// Property: whatever the encoded bytes are, decode either gives exactly the announced size or fails
// with an Error; it reads and writes nothing outside, and more threads give the same answer.
//
// Input: codec id (1 byte), plain size (3 bytes, little-endian), encoded bytes.
#include "base/bytes.h"
#include "base/error.h"
#include "codec/codec.h"

#include <cstdint>
#include <cstdlib>
#include <optional>

using namespace walden;

namespace {

std::optional<Bytes> decoded(codec::CodecId id, ByteView encoded, std::size_t plain_size,
                             std::size_t worker_count) {
    try {
        Bytes out;
        codec::decode(id, encoded, plain_size, worker_count, out);
        if (out.size() != plain_size) std::abort();
        return out;
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::usage) std::abort();
        return std::nullopt;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader reader({reinterpret_cast<const std::byte*>(data), size});
    const auto id = static_cast<codec::CodecId>(reader.read<std::uint8_t>());
    std::size_t plain_size = reader.read<std::uint16_t>();
    plain_size |= std::size_t{reader.read<std::uint8_t>()} << 16;
    // A heap block of exactly this size, so that a sanitizer sees the first byte read past it.
    const Bytes encoded = to_bytes(reader.read_bytes(reader.remaining()));
    const auto alone = decoded(id, encoded, plain_size, 1);
    const auto together = decoded(id, encoded, plain_size, 3);
    if (alone.has_value() != together.has_value()) std::abort();
    if (alone && *alone != *together) std::abort();
    return 0;
}
