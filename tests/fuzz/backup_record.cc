// Property: whatever the bytes, decoding an intent, an outcome or a tomb ends in a record or in an
// Error of kind corrupt or usage. A record encodes to bytes that decode to the same record.
#include "vault/backup_record.h"

#include "base/error.h"
#include "property.h"

#include <cstddef>
#include <cstdint>

using namespace walden;
using namespace walden::vault;

namespace {

template <class Record>
void read(ByteView bytes, Record (*decode)(ByteView), Bytes (*encode)(const Record&)) {
    try {
        const Record record = decode(bytes);
        require_property(record.id.is_valid(), "a record has the id of a backup");
        const Bytes encoded = encode(record);
        require_property(encode(decode(encoded)) == encoded, "the encoding is stable");
    } catch (const Error& error) {
        require_property(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::usage,
                         "a record fails as corrupt or usage");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes = std::as_bytes(std::span(data, size));
    read(bytes, decode_intent, encode_intent);
    read(bytes, decode_outcome, encode_outcome);
    read(bytes, decode_tomb, encode_tomb);
    return 0;
}
