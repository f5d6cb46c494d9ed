// Property: whatever the bytes, decode_entry ends in an entry or in an Error of kind corrupt or
// usage. An entry keeps its limits, and encoding it gives bytes that decode to the same entry and
// encode to the same bytes.
#include "vault/entry.h"

#include "base/error.h"
#include "property.h"

#include <cstddef>
#include <cstdint>
#include <optional>

using namespace walden;
using namespace walden::vault;

namespace {

std::optional<Entry> decoded(ByteView bytes) {
    try {
        return decode_entry(bytes);
    } catch (const Error& error) {
        require_property(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::usage,
                         "an entry fails as corrupt or usage");
        return std::nullopt;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto entry = decoded(std::as_bytes(std::span(data, size)));
    if (!entry) return 0;
    require_property(entry->plain_size <= file_size_max, "no file is larger than the limit");
    require_property(!entry->pieces.empty(), "an entry has a piece");
    require_property(entry->inlined.size() <= inline_size_max, "inlined contents are small");
    const Bytes encoded = encode_entry(*entry);
    const auto again = decoded(encoded);
    require_property(again.has_value(), "what was encoded decodes");
    require_property(*again == *entry, "an entry survives encoding");
    require_property(equal(encode_entry(*again), encoded), "the encoding is stable");
    return 0;
}
